"""The tasks of drivers, of sweeps or of pipeline runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from ..store import StaleEpochError, StoreFailedError

log = logging.getLogger(__name__)
D = TypeVar("D")


class DriverTasks(Generic[D]):
    """Drivers with their tasks, by the id of what they drive."""

    def __init__(self) -> None:
        self._drivers: dict[str, tuple[D, asyncio.Task[None]]] = {}

    def _start(self, name: str, key: str, driver: D, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"{name}-{key}")
        self._drivers[key] = (driver, task)
        return task

    def reap(self) -> bool:
        """Remove finished drivers and handle their errors; whether there were any."""
        ended = [key for key, (_, task) in self._drivers.items() if task.done()]
        for key in ended:
            driver, task = self._drivers.pop(key)
            error = None if task.cancelled() else task.exception()
            if error is None:
                continue
            self._let_go(driver)
            if isinstance(error, StaleEpochError | StoreFailedError):
                raise error
            log.error("%s could not be driven", task.get_name(), exc_info=error)
            self._failed(key, error)
        return bool(ended)

    async def close(self) -> None:
        """Cancel all drivers; runs on workers go on, and the next service takes them up."""
        for _, task in self._drivers.values():
            task.cancel()
        await asyncio.gather(*(task for _, task in self._drivers.values()), return_exceptions=True)
        for driver, _ in self._drivers.values():
            self._let_go(driver)

    def _let_go(self, driver: D) -> None:
        """Stop what a driver that was interrupted has begun."""

    def _failed(self, key: str, error: BaseException) -> None:
        """End what could not be driven, so that it does not hang for ever."""
        raise NotImplementedError
