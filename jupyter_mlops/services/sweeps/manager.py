"""All sweeps that this service drives, each in a task of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from ...core.errors import ConflictError, MlopsError, NotFoundError
from ...core.states import SWEEP_OVER
from ...core.sweeps import Sweep
from ...store import StaleEpochError, StoreFailedError
from ..context import Context
from ..ending import defect
from .driver import SweepDriver

log = logging.getLogger(__name__)


class Drivers:
    """Takes sweeps up and lets go of them at their end.

    Args:
        context: of the service.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.changed = False  # whether a sweep ended that may have been repeated meanwhile
        self._drivers: dict[str, tuple[SweepDriver, asyncio.Task[None]]] = {}

    def take_up(self) -> None:
        """Drive what is live in the store and ours, and have each look at what changed."""
        for sweep in self.context.store.sweeps.find(live=True, service=self.context.service):
            if sweep.id not in self._drivers:
                self.drive(sweep)
            elif sweep.revision != self._drivers[sweep.id][0].sweep.revision:
                # changed by a person, or by what became of one of its runs
                self._drivers[sweep.id][0].wake.set()

    def drive(self, sweep: Sweep) -> asyncio.Task[None] | None:
        """Drive one sweep; None where nobody can, which is written down then."""
        if sweep.id in self._drivers:
            return self._drivers[sweep.id][1]
        try:
            driver = SweepDriver(self.context, sweep)
        except StoreFailedError:
            raise
        except MlopsError as error:
            # read otherwise by an earlier version, or changed by hand: nobody can drive it
            self.context.settle(sweep.id, str(error))
            return None
        task = asyncio.create_task(driver.drive(), name=f"sweep-{sweep.id}")
        self._drivers[sweep.id] = (driver, task)
        return task

    def wake(self, sweep_id: str) -> None:
        """Have a sweep's driver look at once at what people ask of it."""
        if sweep_id in self._drivers:
            self._drivers[sweep_id][0].wake.set()

    def stop(self, sweep_id: str) -> None:
        """Ask for the end of a sweep; one that is over, or was never begun, needs none."""
        with contextlib.suppress(ConflictError, NotFoundError):
            self.context.store.sweeps.request_stop(sweep_id)
        self.wake(sweep_id)

    def reap(self) -> None:
        """Let go of drivers that ended, and see how they did."""
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
        """How many sweeps have something to do."""
        return sum(not driver.resting for driver, _ in self._drivers.values())

    async def close(self) -> None:
        """Let go of all; what workers have goes on."""
        tasks = [task for _, task in self._drivers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for driver, _ in self._drivers.values():
            driver.attempts.forget()

    def _failed(self, sweep_id: str, error: BaseException) -> None:
        """A defect of ours must end as a sentence in the panel, not as a sweep that never moves."""
        if isinstance(error, StaleEpochError | StoreFailedError):
            raise error
        log.error("Sweep %s could not be driven", sweep_id, exc_info=error)
        store = self.context.store
        if store.sweeps.get(sweep_id).state in SWEEP_OVER:
            return
        store.sweeps.request_stop(sweep_id)
        store.sweeps.change(sweep_id, message=defect(error))
