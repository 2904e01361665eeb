"""Runs one driver task per sweep."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from ...core.errors import ConflictError, MlopsError, NotFoundError
from ...core.states import SWEEP_OVER
from ...core.sweeps import Sweep
from ...store import StaleEpochError, StoreFailedError
from ..context import Context
from ..ending import internal_error
from .driver import SweepDriver

log = logging.getLogger(__name__)


class Drivers:
    """The drivers of all live sweeps of this service."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.changed = False  # whether a driver ended; its sweep may have been requeued meanwhile
        self._drivers: dict[str, tuple[SweepDriver, asyncio.Task[None]]] = {}

    def take_up(self) -> None:
        """Start drivers for this service's live sweeps, and wake those whose sweep changed."""
        for sweep in self.context.store.sweeps.find(live=True, service=self.context.service):
            if sweep.id not in self._drivers:
                self.drive(sweep)
            elif sweep.revision != self._drivers[sweep.id][0].sweep.revision:
                self._drivers[sweep.id][0].wake.set()

    def drive(self, sweep: Sweep) -> asyncio.Task[None] | None:
        """Drive one sweep; None if it cannot be driven, in which case it fails."""
        if sweep.id in self._drivers:
            return self._drivers[sweep.id][1]
        try:
            driver = SweepDriver(self.context, sweep)
        except StoreFailedError:
            raise
        except MlopsError as error:
            # stored by an incompatible version, or edited by hand
            self.context.settle(sweep.id, str(error))
            return None
        task = asyncio.create_task(driver.drive(), name=f"sweep-{sweep.id}")
        self._drivers[sweep.id] = (driver, task)
        return task

    def wake(self, sweep_id: str) -> None:
        """Wake a sweep's driver to act on a request at once."""
        if sweep_id in self._drivers:
            self._drivers[sweep_id][0].wake.set()

    def stop(self, sweep_id: str) -> None:
        """Request the stop of a sweep, unless it is over or unknown."""
        with contextlib.suppress(ConflictError, NotFoundError):
            self.context.store.sweeps.request_stop(sweep_id)
        self.wake(sweep_id)

    def reap(self) -> None:
        """Remove finished drivers and handle their errors."""
        for sweep_id, (driver, task) in list(self._drivers.items()):
            if not task.done():
                continue
            del self._drivers[sweep_id]
            self.changed = True
            error = None if task.cancelled() else task.exception()
            if error is not None:
                driver.attempts.forget()
                self._failed(sweep_id, error)

    @property
    def working(self) -> int:
        """Number of sweeps with work to do."""
        return sum(not driver.resting for driver, _ in self._drivers.values())

    async def close(self) -> None:
        """Cancel all drivers; runs on workers go on."""
        tasks = [task for _, task in self._drivers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for driver, _ in self._drivers.values():
            driver.attempts.forget()

    def _failed(self, sweep_id: str, error: BaseException) -> None:
        """Stop a sweep whose driver crashed, so that it does not hang for ever."""
        if isinstance(error, StaleEpochError | StoreFailedError):
            raise error
        log.error("Sweep %s could not be driven", sweep_id, exc_info=error)
        store = self.context.store
        if store.sweeps.get(sweep_id).state in SWEEP_OVER:
            return
        store.sweeps.request_stop(sweep_id)
        store.sweeps.change(sweep_id, **internal_error(error))
