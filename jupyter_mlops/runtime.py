"""Builds the service's parts and closes them in reverse."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import sys
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import msgspec

from .compute import Targets
from .core.errors import MlopsError
from .core.records import ServiceInfo, Sweep, now
from .core.states import SWEEP_OVER
from .services.context import Context
from .services.driver import INTERNAL, SweepDriver
from .services.ending import settle
from .services.launch import INFO_KEY
from .services.layout import Layout
from .settings import MlopsSettings
from .store import StaleEpochError, Store, StoreFailedError
from .tracking import Tracking

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
UPKEEP_SECONDS = 5.0


class Runtime:
    """The one process that runs sweeps: takes them from the store and drives them to their end."""

    def __init__(self, settings: MlopsSettings) -> None:
        self.settings = settings
        self._stack = AsyncExitStack()
        self._drivers: dict[str, tuple[SweepDriver, asyncio.Task[None]]] = {}
        self._started_at = now()
        self._working_at = time.monotonic()
        self._said: ServiceInfo | None = None
        self._seen = -1
        self._upkeep: asyncio.Task[None] | None = None
        self._kept_up = 0.0
        self._busy = False
        self._wanted = True

    async def __aenter__(self) -> Runtime:
        data = self.settings.data_path
        store = Store(self.settings.store_url)
        self._stack.callback(store.close)
        owner = f"{socket.gethostname()}:{sys.prefix}:{os.getpid()}"
        epoch = store.acquire_lease("service", owner)
        tracking = Tracking(data, self.settings.mlflow_tracking_uri)
        self._stack.callback(self._close_tracking)
        targets = Targets(data, self.settings.local_slots, per_device=self.settings.slots_per_device)
        self.context = Context(store, epoch, self.settings, Layout(data), targets, tracking)
        self._stack.callback(self.context.thread.shutdown)
        self._stack.push_async_callback(self._close_targets)
        self._stack.callback(store.put_info, INFO_KEY, None)
        return self

    async def __aexit__(self, *details: object) -> None:
        tasks = [task for _, task in self._drivers.values()]
        if self._upkeep is not None:
            tasks.append(self._upkeep)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for driver, _ in self._drivers.values():
            driver.attempts.forget()
        await self._stack.aclose()

    def end(self) -> None:
        """Leave :meth:`serve` at the next turn."""
        self._wanted = False

    async def serve(self) -> None:
        """Work until there is nothing to do for a while, or until another service took over."""
        warming = asyncio.create_task(self._warm_up())
        try:
            while self._wanted and not self._idle():
                try:
                    self._turn()
                    pause = POLL_SECONDS
                except StoreFailedError as error:
                    # nothing can be written down, so nothing can be done; what workers have goes on
                    log.error("%s", error.message)
                    self._seen = -1
                    pause = UPKEEP_SECONDS
                await asyncio.sleep(pause)
        except StaleEpochError:
            log.warning("Another service took over; this one ends")
        finally:
            warming.cancel()

    async def _warm_up(self) -> None:
        try:
            await self.context.call(self.context.tracking.start)
            await self._purge()
        except MlopsError as error:
            log.warning("%s", error.message)

    def _turn(self) -> None:
        self._reap()
        revision = self.context.store.revision()
        if revision != self._seen:
            self._take_up()
            self._seen = revision
        if time.monotonic() - self._kept_up > UPKEEP_SECONDS and (self._upkeep is None or self._upkeep.done()):
            upkeep, self._upkeep = self._upkeep, asyncio.create_task(self._keep_up())
            self._kept_up = time.monotonic()
            if upkeep is not None and (error := upkeep.exception()) is not None:
                if isinstance(error, StaleEpochError | StoreFailedError):
                    raise error
                log.error("Something beside the sweeps failed", exc_info=error)
        self._say()

    def _take_up(self) -> None:
        for sweep in self.context.store.sweeps(live=True):
            if sweep.id in self._drivers:
                self._drivers[sweep.id][0].wake.set()
            else:
                self._drive(sweep)

    def _drive(self, sweep: Sweep) -> None:
        try:
            driver = SweepDriver(self.context, sweep)
        except StoreFailedError:
            raise
        except MlopsError as error:
            # read otherwise by an earlier version, or changed by hand: nobody can drive it
            settle(self.context.store, self.context.epoch, sweep.id, error.message)
            return
        task = asyncio.create_task(driver.drive(), name=f"sweep-{sweep.id}")
        self._drivers[sweep.id] = (driver, task)

    def _reap(self) -> None:
        """Let go of drivers that ended, and see how they did."""
        for sweep_id, (driver, task) in list(self._drivers.items()):
            if not task.done():
                continue
            del self._drivers[sweep_id]
            # a sweep that was repeated meanwhile is taken up again
            self._seen = -1
            error = None if task.cancelled() else task.exception()
            if error is not None:
                driver.attempts.forget()
                self._failed(sweep_id, error)

    def _failed(self, sweep_id: str, error: BaseException) -> None:
        """A defect of ours must end as a sentence in the panel, not as a sweep that never moves."""
        if isinstance(error, StaleEpochError | StoreFailedError):
            raise error
        log.error("Sweep %s could not be driven", sweep_id, exc_info=error)
        store = self.context.store
        if store.sweep(sweep_id).state in SWEEP_OVER:
            return
        store.request_stop_sweep(sweep_id)
        store.change_sweep(sweep_id, message=f"{INTERNAL} ({type(error).__name__}: {error}); see the service's log")

    async def _keep_up(self) -> None:
        """What is done beside the sweeps every few seconds."""
        await self.context.catch_up()
        self.context.tracking.keep()
        for target in self.context.targets.used():
            idle = time.monotonic() - target.used_at
            if not target.info().busy and idle > self.settings.target_idle_timeout:
                await target.close()

    def _idle(self) -> bool:
        if any(not driver.resting for driver, _ in self._drivers.values()):
            self._working_at = time.monotonic()
        return time.monotonic() - self._working_at > self.settings.service_idle_timeout

    def _say(self) -> None:
        state, message = self.context.tracking.info()
        count = sum(not driver.resting for driver, _ in self._drivers.values())
        info = ServiceInfo(
            state="ready",
            pid=os.getpid(),
            host=socket.gethostname(),
            started_at=self._started_at,
            doing=f"{count} sweep{'s' * (count != 1)} running" if count else "Idle",
            mlflow=state,
            mlflow_message=message,
            targets=self.context.targets.infos(),
        )
        if info != self._said:
            self._said = info
            self.context.store.put_info(INFO_KEY, msgspec.to_builtins(info))

    async def _purge(self) -> None:
        """Remove for good what was deleted long ago; MLflow is told, and keeps it in its own bin."""
        before = datetime.now(UTC) - timedelta(days=self.settings.keep_deleted_days)
        store, layout = self.context.store, self.context.layout
        for sweep_id in store.purgeable(before.isoformat()):
            await self.context.call(self.context.tracking.drop_sweep, store.sweep(sweep_id))
            for run in store.runs(sweep_id):
                shutil.rmtree(layout.run(run.id), ignore_errors=True)
            shutil.rmtree(layout.sweep(sweep_id), ignore_errors=True)
            store.purge_sweep(sweep_id)

    async def _close_targets(self) -> None:
        self._busy = bool(self.context.store.live_runs())
        for target in self.context.targets.used():
            # runs go on without us, and the next service takes them up
            await (target.detach() if self._busy else target.close())

    def _close_tracking(self) -> None:
        # notebooks that go on without us log there; it ends itself where no service follows
        if not self._busy:
            self.context.tracking.close()
