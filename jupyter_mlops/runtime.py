"""Assembles the service and runs its main loop."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from .compute import Targets
from .core.errors import MlopsError
from .core.lenient import encode
from .core.messages import Message
from .core.record import now
from .core.service import ServiceInfo
from .services.context import Context
from .services.pipelines import retention
from .services.pipelines.alerts import Alerts
from .services.pipelines.manager import PipelineRuns
from .services.pipelines.scheduler import Scheduler
from .services.process.launch import info_key, own_info
from .services.process.layout import Layout
from .services.sweeps.manager import Drivers
from .settings import MlopsSettings
from .store import StaleEpochError, Store, StoreFailedError
from .tracking import Tracking

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
UPKEEP_SECONDS = 5.0
TIDY_SECONDS = 3600.0


class Runtime:
    """The service: takes sweeps and pipeline runs from the store and executes them."""

    def __init__(self, settings: MlopsSettings) -> None:
        self.settings = settings
        self._stack = AsyncExitStack()
        self._started_at = now()
        self._working_at = time.monotonic()
        self._published: ServiceInfo | None = None
        self._seen = -1
        self._periodic: dict[str, tuple[float, asyncio.Task[None]]] = {}  # start time and task
        self._beating: asyncio.Task[None] | None = None
        self._busy = False
        self._wanted = True
        self.is_outdated = False  # it ends so that the build on disk takes its place

    async def __aenter__(self) -> Runtime:
        data = self.settings.data_path
        store = Store(self.settings.store_url)
        self._stack.callback(store.close)
        owner = f"{socket.gethostname()}:{sys.prefix}:{os.getpid()}"
        layout = Layout(data)
        epoch = store.leases.acquire(f"service:{layout.service}", owner)
        tracking = Tracking(data, self.settings.mlflow_tracking_uri)
        self._stack.callback(self._close_tracking)
        targets = Targets(self.settings, store.targets)
        self.context = Context(store, layout.service, epoch, self.settings, layout, targets, tracking)
        self._stack.callback(self.context.thread.shutdown)
        self._stack.push_async_callback(self.context.close)
        self._stack.push_async_callback(self._close_targets)
        self._stack.callback(self._clear_info)
        self.drivers = Drivers(self.context)
        self._stack.push_async_callback(self.drivers.close)
        self.pipeline_runs = PipelineRuns(self.context, self.drivers)
        self._stack.push_async_callback(self.pipeline_runs.close)
        self.scheduler = Scheduler(self.context)
        self.alerts = Alerts(self.context, lambda: self.pipeline_runs.lost)
        self._stack.push_async_callback(self.alerts.close)
        return self

    async def __aexit__(self, *details: object) -> None:
        tasks = [task for _, task in self._periodic.values()]
        tasks += [self._beating] if self._beating else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._stack.aclose()

    def end(self) -> None:
        """Leave :meth:`serve` at the next turn."""
        self._wanted = False

    async def serve(self) -> None:
        """Work until idle for a while, or until another service takes over."""
        warming = asyncio.create_task(self._warm_up())
        self._beating = asyncio.create_task(self._beat())
        try:
            while self._wanted and not self._idle():
                try:
                    pause = self._turn()
                except StoreFailedError as error:
                    # nothing can be stored, so nothing can be done; runs on workers go on
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
        except MlopsError as error:
            log.warning("%s", error.message)

    async def _beat(self) -> None:
        """Send this service's heartbeat, and take over the runs of lost services."""
        while True:
            try:
                self.context.store.leases.beat()
                self.pipeline_runs.look_after_others()
            except StaleEpochError:
                self.end()
                return
            except StoreFailedError as error:
                log.error("%s", error.message)
            await asyncio.sleep(self.pipeline_runs.beat_seconds)

    def _turn(self) -> float:
        """One turn of work; returns the seconds until the next."""
        ended = self.drivers.reap() | self.pipeline_runs.reap()
        more = self.scheduler.turn()
        revision = self.context.store.revision()
        if revision != self._seen or ended or self.pipeline_runs.waiting:
            self.drivers.take_up()
            self.pipeline_runs.take_up()
            self._seen = revision
        self._run_periodically("upkeep", UPKEEP_SECONDS, self._upkeep)
        self._run_periodically("retention", TIDY_SECONDS, lambda: retention.apply(self.context))
        self._publish_info()
        if more:
            return 0.0
        due = self.scheduler.next_due
        # what is overdue is in progress, such as listing files
        return min(POLL_SECONDS, due) if due is not None and due > 0 else POLL_SECONDS

    def _run_periodically(self, name: str, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start a periodic task if it is due and its last execution has ended."""
        begun, last = self._periodic.get(name, (-math.inf, None))
        if time.monotonic() - begun <= seconds or (last is not None and not last.done()):
            return
        self._periodic[name] = (time.monotonic(), asyncio.create_task(work(), name=name))
        if last is not None and (error := last.exception()) is not None:
            if isinstance(error, StaleEpochError | StoreFailedError):
                raise error
            log.error("%s failed", name.capitalize(), exc_info=error)

    async def _upkeep(self) -> None:
        await self.alerts.turn()
        await self.context.catch_up()
        self.context.tracking.keep()
        if self.context.targets.outdated:
            log.warning("The package on disk is of another build; this service ends, and one of that build follows")
            self.is_outdated = True
            self.end()
        for target in self.context.targets.used():
            idle = time.monotonic() - target.used_at
            if not target.info().busy and idle > self.settings.target_idle_timeout:
                await target.close()

    def _idle(self) -> bool:
        if self.drivers.working or self.pipeline_runs.working or self._is_scheduled():
            self._working_at = time.monotonic()
        return time.monotonic() - self._working_at > self.settings.service_idle_timeout

    def _is_scheduled(self) -> bool:
        """Whether any trigger is active; a marker file tells starting Jupyter servers so without the store."""
        scheduled = self.scheduler.next_due is not None
        mark = self.context.layout.scheduled
        if scheduled != mark.exists():
            mark.touch(mode=0o600) if scheduled else mark.unlink(missing_ok=True)
        return scheduled

    def _publish_info(self) -> None:
        state, message = self.context.tracking.info()
        info = msgspec.structs.replace(
            own_info(),
            state="ready",
            started_at=self._started_at,
            doing=self._doing(),
            mlflow=state,
            mlflow_message=message,
            mlflow_address=self.context.tracking.external,
            targets=self.context.targets.known(),
        )
        if info != self._published:
            self._published = info
            self.context.store.infos.put(info_key(self.context.layout), encode(info))

    def _clear_info(self) -> None:
        try:
            self.context.store.infos.put(info_key(self.context.layout), None)
        except StaleEpochError:
            log.info("The next service has published its state")

    def _doing(self) -> Message:
        runs = self.pipeline_runs.working
        sweeps = max(0, self.drivers.working - runs) if runs else self.drivers.working
        parts = [f"{sweeps} sweep{'s' * (sweeps != 1)}"] * bool(sweeps)
        parts += [f"{runs} pipeline run{'s' * (runs != 1)}"] * bool(runs)
        return Message("{parts} running", parts=" and ".join(parts)) if parts else Message("Idle")

    async def _close_targets(self) -> None:
        self._busy = bool(self.context.store.runs.live(self.context.service))
        for target in self.context.targets.used():
            # runs go on, and the next service follows them
            await (target.detach() if self._busy else target.close())

    def _close_tracking(self) -> None:
        # running notebooks still log there; it ends itself if no service follows
        if not self._busy:
            self.context.tracking.close()
