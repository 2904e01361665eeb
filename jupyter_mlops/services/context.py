"""What all drivers of one service share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from ..compute import Targets
from ..compute.targets import Target
from ..core.errors import MlopsError, UnavailableError
from ..core.notebook import MlflowUsage
from ..core.records import Run, RunResult, Sweep
from ..core.states import RunState
from ..settings import MlopsSettings
from ..store import Epoch, Store
from ..tracking import Tracking
from .layout import Layout

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass
class Context:
    """The parts that ``runtime`` builds, and the few verbs that need several of them."""

    store: Store
    epoch: Epoch
    settings: MlopsSettings
    layout: Layout
    targets: Targets
    tracking: Tracking
    # one thread: MLflow's writes keep their order, and SQLite has one writer anyway
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "tracking"))

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call something of MLflow's in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, function, *arguments)

    def free_slots(self, target: Target) -> int:
        """Slots of a target that no sweep uses."""
        return target.slots - target.info().busy

    async def begin_run(self, sweep: Sweep, run: Run, usage: MlflowUsage) -> tuple[str | None, dict[str, str]]:
        """Child run of an attempt and its kernel's environment; no child where MLflow is gone."""
        try:
            child: str | None = await self.call(self.tracking.begin_run, sweep, run)
        except UnavailableError as error:
            log.warning("Run %s starts without MLflow: %s", run.id, error.message)
            child = None
        return child, self.tracking.kernel_env(sweep, run, child, usage.owns_runs)

    async def track(self, sweep: Sweep, run_id: str) -> bool:
        """Tell MLflow all of a finished run; False where it must be told again later."""
        run = self.store.run(run_id)
        result = self._result(run)
        try:
            if run.mlflow_run_id is None:
                child = await self.call(self.tracking.begin_run, sweep, run)
                run = self._change(run, mlflow_run_id=child)
            metrics = await self.call(self.tracking.finish_run, sweep, run, result, self.layout.run(run.id))
        except UnavailableError as error:
            self._change(run, message=f"Not in MLflow yet: {error.message}")
            return False
        message = "" if run.message.startswith("Not in MLflow yet") else run.message
        self._change(run, metrics=metrics, tracked=True, message=message)
        return True

    async def finish_sweep(self, sweep: Sweep) -> None:
        """Close a sweep's parent run; where MLflow is gone that follows with its runs."""
        try:
            await self.call(self.tracking.finish_sweep, sweep)
        except UnavailableError as error:
            log.warning("Sweep %s could not be closed in MLflow: %s", sweep.id, error.message)

    async def catch_up(self) -> None:
        """Tell MLflow of the runs it could not be told of."""
        for run in self.store.untracked(100):
            sweep = self.store.sweep(run.sweep_id)
            if sweep.mlflow_run_id is None or (run.started_at is None and run.mlflow_run_id is None):
                # it never reached a worker: there is nothing to tell
                self._change(run, tracked=True)
                continue
            try:
                if not await self.track(sweep, run.id):
                    return
                await self.finish_sweep(self.store.sweep(sweep.id))
            except MlopsError:
                log.info("Run %s moved on while MLflow was told of it", run.id, exc_info=True)

    def _change(self, run: Run, **fields: Any) -> Run:
        return self.store.change_run(run.id, expect_attempt=run.attempt, epoch=self.epoch, **fields)

    def _result(self, run: Run) -> RunResult:
        try:
            data = self.layout.result(run.id, run.attempt).read_bytes()
        except FileNotFoundError:
            # its worker never finished it: what the store knows is all there is
            return RunResult(
                run_id=run.id,
                attempt=run.attempt,
                state=RunState(run.state),
                started_at=run.started_at or run.queued_at,
                ended_at=run.ended_at or run.queued_at,
                error=run.error,
            )
        return msgspec.json.decode(data, type=RunResult)
