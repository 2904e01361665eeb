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
from .services.context import Context
from .services.driver import INTERNAL, SweepDriver
from .services.launch import INFO_KEY
from .services.layout import Layout
from .settings import MlopsSettings
from .store import StaleEpochError, Store
from .tracking import Tracking

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
CATCH_UP_SECONDS = 5.0


class Runtime:
    """The one process that runs sweeps: takes them from the store and drives them to their end."""

    def __init__(self, settings: MlopsSettings) -> None:
        self.settings = settings
        self._stack = AsyncExitStack()
        self._drivers: dict[str, tuple[SweepDriver, asyncio.Task[None]]] = {}
        self._started_at = now()
        self._working_at = time.monotonic()
        self._said: ServiceInfo | None = None
        self._wanted = True

    async def __aenter__(self) -> Runtime:
        data = self.settings.data_path
        store = Store(self.settings.store_url)
        self._stack.callback(store.close)
        owner = f"{socket.gethostname()}:{sys.prefix}:{os.getpid()}"
        epoch = store.acquire_lease("service", owner)
        tracking = Tracking(data, self.settings.mlflow_tracking_uri)
        self._stack.callback(tracking.close)
        targets = Targets(data, self.settings.local_slots)
        self.context = Context(store, epoch, self.settings, Layout(data), targets, tracking)
        self._stack.callback(self.context.thread.shutdown)
        self._stack.push_async_callback(self._close_targets)
        return self

    async def __aexit__(self, *details: object) -> None:
        for _, task in self._drivers.values():
            task.cancel()
        await asyncio.gather(*(task for _, task in self._drivers.values()), return_exceptions=True)
        self.context.store.put_info(INFO_KEY, None)
        await self._stack.aclose()

    def end(self) -> None:
        """Leave :meth:`serve` at the next turn."""
        self._wanted = False

    async def serve(self) -> None:
        """Work until there is nothing to do for a while, or until another service took over."""
        self._purge()
        warming = asyncio.create_task(self._warm_up())
        seen, caught_up = -1, 0.0
        try:
            while self._wanted and not self._idle():
                revision = self.context.store.revision()
                if revision != seen:
                    seen = revision
                    self._take_up()
                if time.monotonic() - caught_up > CATCH_UP_SECONDS:
                    await self._catch_up()
                    caught_up = time.monotonic()
                self._say()
                await asyncio.sleep(POLL_SECONDS)
        except StaleEpochError:
            log.warning("Another service took over; this one ends")
        finally:
            warming.cancel()

    async def _warm_up(self) -> None:
        try:
            await self.context.call(self.context.tracking.start)
        except MlopsError as error:
            log.warning("%s", error.message)

    def _take_up(self) -> None:
        for sweep_id, (_, task) in list(self._drivers.items()):
            if task.done():
                del self._drivers[sweep_id]
                if not task.cancelled() and (error := task.exception()) is not None:
                    self._failed(sweep_id, error)
        for sweep in self.context.store.sweeps(live=True):
            if sweep.id in self._drivers:
                self._drivers[sweep.id][0].wake.set()
            else:
                self._drive(sweep)

    def _drive(self, sweep: Sweep) -> None:
        try:
            driver = SweepDriver(self.context, sweep)
        except MlopsError as error:
            self._failed(sweep.id, error)
            return
        task = asyncio.create_task(driver.drive(), name=f"sweep-{sweep.id}")
        self._drivers[sweep.id] = (driver, task)

    def _failed(self, sweep_id: str, error: BaseException) -> None:
        """A defect of ours must end as a sentence in the panel, not as a sweep that never moves."""
        if isinstance(error, StaleEpochError):
            raise error
        log.error("Sweep %s could not be driven", sweep_id, exc_info=error)
        self.context.store.request_stop_sweep(sweep_id)
        self.context.store.change_sweep(
            sweep_id, message=f"{INTERNAL} ({type(error).__name__}: {error}); see the service's log"
        )

    async def _catch_up(self) -> None:
        for sweep_id, (_, task) in list(self._drivers.items()):
            if task.done():
                del self._drivers[sweep_id]
                if not task.cancelled() and (error := task.exception()) is not None:
                    self._failed(sweep_id, error)
        if not self._drivers:
            await self.context.catch_up()
        if not self.context.tracking.external:
            self.context.tracking.server.ensure()
        for target in self.context.targets.used():
            idle = time.monotonic() - target.used_at
            if not target.info().busy and not self._drivers and idle > self.settings.target_idle_timeout:
                await target.close()

    def _idle(self) -> bool:
        if self._drivers:
            self._working_at = time.monotonic()
        return time.monotonic() - self._working_at > self.settings.service_idle_timeout

    def _say(self) -> None:
        state, message = self.context.tracking.info()
        count = len(self._drivers)
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

    def _purge(self) -> None:
        """Remove for good what was deleted long ago."""
        before = datetime.now(UTC) - timedelta(days=self.settings.keep_deleted_days)
        store, layout = self.context.store, self.context.layout
        for sweep_id in store.purgeable(before.isoformat()):
            for run in store.runs(sweep_id):
                shutil.rmtree(layout.run(run.id), ignore_errors=True)
            shutil.rmtree(layout.sweep(sweep_id), ignore_errors=True)
            store.purge_sweep(sweep_id)

    async def _close_targets(self) -> None:
        busy = bool(self.context.store.live_runs())
        for target in self.context.targets.used():
            # runs go on without us, and the next service takes them up
            await (target.detach() if busy else target.close())
