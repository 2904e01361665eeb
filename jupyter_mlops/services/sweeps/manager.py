"""Runs one driver task per sweep."""

from __future__ import annotations

import asyncio
import contextlib

from ...core.errors import ConflictError, MlopsError, NotFoundError
from ...core.states import SWEEP_OVER
from ...core.sweeps import Sweep
from ...store import StoreFailedError
from ..context import Context
from ..driver_tasks import DriverTasks
from ..ending import internal_error
from .driver import SweepDriver


class Drivers(DriverTasks[SweepDriver]):
    """The drivers of all live sweeps of this service."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context

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
            self.context.settle(sweep.id, error.message)
            return None
        return self._start("sweep", sweep.id, driver, driver.drive())

    def wake(self, sweep_id: str) -> None:
        """Wake a sweep's driver to act on a request at once."""
        if sweep_id in self._drivers:
            self._drivers[sweep_id][0].wake.set()

    def stop(self, sweep_id: str) -> None:
        """Request the stop of a sweep, unless it is over or unknown."""
        with contextlib.suppress(ConflictError, NotFoundError):
            self.context.store.sweeps.request_stop(sweep_id)
        self.wake(sweep_id)

    @property
    def working(self) -> int:
        """Number of sweeps with work to do."""
        return sum(not driver.resting for driver, _ in self._drivers.values())

    def _let_go(self, driver: SweepDriver) -> None:
        driver.attempts.forget()

    def _failed(self, sweep_id: str, error: BaseException) -> None:
        store = self.context.store
        if store.sweeps.get(sweep_id).state in SWEEP_OVER:
            return
        store.sweeps.request_stop(sweep_id)
        store.sweeps.change(sweep_id, **internal_error(error))
