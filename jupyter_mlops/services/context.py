"""Shared state of one service's drivers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from ..compute import Targets
from ..core.errors import ConflictError, NotFoundError, UnavailableError
from ..core.lenient import decode
from ..core.messages import Message
from ..core.notebook.reading import MlflowUsage
from ..core.pipelines.records import PipelineRun
from ..core.runs import Run, RunResult, not_comparable
from ..core.states import PIPELINE_RUN_OVER, SWEEP_OVER, Reason, RunState
from ..core.sweeps import Sweep
from ..settings import MlopsSettings
from ..store import Epoch, Store
from ..tracking import Tracking
from .curves import LiveCurves
from .ending import settle
from .process.layout import Layout

log = logging.getLogger(__name__)
T = TypeVar("T")

PIPELINE_RUN = "pipeline-run:"  # prefix of a pipeline run's id and its MLflow id
BATCH = 100
BACKGROUND_DELAY = 0.1  # s


@dataclass
class Context:
    """The parts that ``runtime`` builds, and the operations that need several of them.

    Attributes:
        store: all writes carry ``epoch``.
        service: name of this service, unique among those on one store.
    """

    store: Store
    service: str
    epoch: Epoch
    settings: MlopsSettings
    layout: Layout
    targets: Targets
    tracking: Tracking
    # one thread keeps MLflow's writes in order, and SQLite has one writer anyway
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "tracking"))
    # whether MLflow may lack something; an earlier service may have ended before reporting it
    behind: bool = True
    _telling: set[str] = field(default_factory=set)
    _background: dict[str, set[asyncio.Task[None]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = self.store.under(self.epoch)
        self.curves = LiveCurves(self.store, self.tracking.metric_log)

    async def call(self, function: Callable[..., T], *arguments: Any, insist: bool = False) -> T:
        """Call an MLflow function in the tracking thread.

        Args:
            insist: call it even during an outage. Otherwise runs would wait for each attempt to reach MLflow again.

        Raises:
            UnavailableError: MLflow did not answer, now or when it was last called.
        """
        if self.tracking.outage and not insist:
            raise UnavailableError(self.tracking.outage)
        return await asyncio.get_running_loop().run_in_executor(self.thread, function, *arguments)

    async def begin_run(self, sweep: Sweep, run: Run, usage: MlflowUsage) -> tuple[str | None, dict[str, str]]:
        """Create an attempt's MLflow run; its id (None if MLflow is unavailable) and the kernel's environment."""
        try:
            child: str | None = await self.call(self.tracking.begin_run, sweep, run)
        except UnavailableError as error:
            log.warning("Run %s starts without MLflow: %s", run.id, error.message)
            child = None
        return child, self.tracking.kernel_env(sweep, run, child, usage.owns_runs)

    async def track(self, sweep: Sweep, run: Run) -> Run:
        """Report a finished run to MLflow; ``tracked`` stays False if that must be repeated later."""
        if run.id in self._telling:
            return run
        self._telling.add(run.id)
        late = run.mlflow_run_id is None or run.reason is Reason.UNTRACKED
        try:
            result = self._result(run)
            await self.curves.finish(run, result)
            if run.mlflow_run_id is None:
                child = await self.call(self.tracking.begin_run, sweep, run)
                run = self._change(run, mlflow_run_id=child)
            metrics = await self.call(self.tracking.finish_run, sweep, run, result, self.layout.run(run.id))
            if late:
                await self.call(self.tracking.drop_others, sweep, run)
        except UnavailableError as error:
            self.behind = True
            if run.message:
                return run
            return self._change(
                run, message=Message("Not in MLflow yet: {message}", message=error.message), reason=Reason.UNTRACKED
            )
        finally:
            self._telling.discard(run.id)
        said = {"message": Message()} if run.reason is Reason.UNTRACKED else {}
        warnings = list(dict.fromkeys([*run.warnings, *not_comparable(metrics)]))
        return self._change(run, metrics=metrics, warnings=warnings, tracked=True, **said)

    def track_in_background(self, sweep: Sweep, run: Run) -> None:
        """Report a step's finished run to MLflow while the next step begins; see :meth:`wait_until_tracked`."""
        task = asyncio.create_task(self._track_in_background(sweep, run))
        tasks = self._background.setdefault(sweep.pipeline_run, set())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _track_in_background(self, sweep: Sweep, run: Run) -> None:
        # do not slow the next kernel's start down
        await asyncio.sleep(BACKGROUND_DELAY)
        try:
            await self.track(sweep, run)
        except ConflictError:
            log.info("Run %s moved on while MLflow was told of it", run.id, exc_info=True)
        except Exception:
            log.exception("Run %s could not be reported to MLflow; it will be retried", run.id)
            self.behind = True

    async def wait_until_tracked(self, pipeline_run: str) -> None:
        """Wait until all steps of a pipeline run were reported to MLflow, or failed to be."""
        await asyncio.gather(*self._background.pop(pipeline_run, ()))

    async def close(self) -> None:
        """Stop reporting; the next service goes on."""
        self.curves.close()
        tasks = [task for tasks in self._background.values() for task in tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def finish_sweep(self, sweep: Sweep) -> None:
        """Close a finished sweep's parent run in MLflow, now or once MLflow is available again."""
        if not _has_own_parent(sweep):
            return
        try:
            await self.call(self.tracking.finish_sweep, sweep)
        except UnavailableError as error:
            log.warning("Sweep %s could not be closed in MLflow: %s", sweep.id, error.message)
            self.finish_later(sweep)
        else:
            self.store.infos.remove_unclosed(self.service, sweep.id)

    async def finish_pipeline(self, run: PipelineRun) -> None:
        """Close a finished pipeline run in MLflow, now or once MLflow is available again."""
        if run.mlflow_run_id is None:
            return
        try:
            await self.call(self.tracking.finish_pipeline, run.mlflow_run_id, run.state.value, run.ended_at)
        except UnavailableError as error:
            log.warning("Pipeline run %s could not be closed in MLflow: %s", run.id, error.message)
            self.finish_later(run)
        else:
            self.store.infos.remove_unclosed(self.service, _unclosed_name(run))

    def finish_later(self, what: Sweep | PipelineRun, service: str = "") -> None:
        """Close a sweep or pipeline run in MLflow once it is over.

        Args:
            service: whose MLflow holds it; empty means this service's.
        """
        self.store.infos.add_unclosed(service or self.service, _unclosed_name(what))
        self.behind = True

    def settle(self, sweep_id: str, why: Message, service: str = "") -> Sweep:
        """End a sweep that cannot go on, and report that to MLflow later.

        Args:
            service: whose MLflow holds it; empty means this service's.
        """
        sweep = self.store.sweeps.get(sweep_id)
        if _has_own_parent(sweep):
            # first, so that it is not lost if this process is killed in between
            self.finish_later(sweep, service)
        self.behind = True
        return settle(self.store, sweep_id, why)

    def shares_mlflow(self, service: str) -> bool:
        """Whether another service is known to use the same external MLflow."""
        said = self.store.infos.get(f"service:{service}") or {}
        # earlier versions gave the address as their message
        address = said.get("mlflow_address") or said.get("mlflow_message")
        return bool(self.tracking.external) and address == self.tracking.external

    async def catch_up(self) -> None:
        """Report to MLflow what could not be reported before."""
        if self.tracking.outage:
            try:
                await self.call(self.tracking.ask_again, insist=True)
            except UnavailableError:
                return
        if not self.behind:
            return
        self.behind = False
        try:
            while await self._tell(self.store.runs.untracked(BATCH, self.service)) == BATCH:
                log.info("MLflow was told of %s more runs", BATCH)
            for name in self.store.infos.unclosed(self.service):
                await self._finish(name)
        except BaseException:
            self.behind = True
            raise

    async def _tell(self, runs: list[Run]) -> int:
        """Report runs to MLflow until one fails; how many succeeded."""
        for number, run in enumerate(runs):
            sweep = self.store.sweeps.get(run.sweep_id)
            try:
                if sweep.mlflow_run_id is None or (run.started_at is None and run.mlflow_run_id is None):
                    # it never reached a worker: there is nothing to report
                    self._change(run, tracked=True)
                elif run.id not in self._telling and not (await self.track(sweep, run)).tracked:
                    return number
            except ConflictError:
                log.info("Run %s moved on while MLflow was told of it", run.id, exc_info=True)
        return len(runs)

    async def _finish(self, name: str) -> None:
        """Close a sweep or pipeline run in MLflow if it is over; others are closed when they end."""
        try:
            if name.startswith(PIPELINE_RUN):
                run_id, _, mlflow_run_id = name.removeprefix(PIPELINE_RUN).partition(":")
                run = self.store.pipeline_runs.get(run_id)
                if run.state in PIPELINE_RUN_OVER:
                    # by now it may have a different MLflow run with another service
                    await self.finish_pipeline(msgspec.structs.replace(run, mlflow_run_id=mlflow_run_id))
            else:
                sweep = self.store.sweeps.get(name)
                if sweep.state in SWEEP_OVER:
                    await self.finish_sweep(sweep)
        except NotFoundError:
            self.store.infos.remove_unclosed(self.service, name)

    def _change(self, run: Run, **fields: Any) -> Run:
        return self.store.runs.change(run.id, expect_attempt=run.attempt, **fields)

    def _result(self, run: Run) -> RunResult:
        try:
            data = self.layout.result(run.id, run.attempt).read_bytes()
        except FileNotFoundError:
            # its worker never finished it
            return RunResult(
                run_id=run.id,
                attempt=run.attempt,
                state=RunState(run.state),
                started_at=run.started_at or run.queued_at,
                ended_at=run.ended_at or run.queued_at,
                error=run.error,
            )
        return decode(msgspec.json.decode(data), RunResult)


def _has_own_parent(sweep: Sweep) -> bool:
    """Whether the sweep has its own parent run; a plain step's run is a direct child of its pipeline's run."""
    return bool(sweep.space) or not sweep.pipeline_run


def _unclosed_name(what: Sweep | PipelineRun) -> str:
    return what.id if isinstance(what, Sweep) else f"{PIPELINE_RUN}{what.id}:{what.mlflow_run_id}"
