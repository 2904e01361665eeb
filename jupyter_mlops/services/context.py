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
from ..core.errors import ConflictError, NotFoundError, UnavailableError
from ..core.lenient import decode
from ..core.notebook.reading import MlflowUsage
from ..core.pipelines.records import PipelineRun
from ..core.runs import Run, RunResult, not_comparable
from ..core.states import PIPELINE_RUN_OVER, SWEEP_OVER, RunState
from ..core.sweeps import Sweep
from ..settings import MlopsSettings
from ..store import Epoch, Store
from ..tracking import Tracking
from .ending import settle
from .process.layout import Layout

log = logging.getLogger(__name__)
T = TypeVar("T")

PIPELINE_RUN = "pipeline-run:"  # before the id of a pipeline's run and its id in MLflow
BATCH = 100
BESIDE_SECONDS = 0.1
_NOT_YET = "Not in MLflow yet"


@dataclass
class Context:
    """The parts that ``runtime`` builds, and the few verbs that need several of them.

    Attributes:
        store: all that the service writes is written under ``epoch``.
        service: name of this service among those on one store.
    """

    store: Store
    service: str
    epoch: Epoch
    settings: MlopsSettings
    layout: Layout
    targets: Targets
    tracking: Tracking
    # one thread: MLflow's writes keep their order, and SQLite has one writer anyway
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "tracking"))
    # whether MLflow may lack something; an earlier service may have ended before telling it
    behind: bool = True
    _telling: set[str] = field(default_factory=set)
    _beside: dict[str, set[asyncio.Task[None]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = self.store.under(self.epoch)

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call something of MLflow's in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, function, *arguments)

    async def begin_run(self, sweep: Sweep, run: Run, usage: MlflowUsage) -> tuple[str | None, dict[str, str]]:
        """Child run of an attempt and its kernel's environment; no child where MLflow is gone."""
        try:
            child: str | None = await self.call(self.tracking.begin_run, sweep, run)
        except UnavailableError as error:
            log.warning("Run %s starts without MLflow: %s", run.id, error.message)
            child = None
        return child, self.tracking.kernel_env(sweep, run, child, usage.owns_runs)

    async def track(self, sweep: Sweep, run: Run) -> Run:
        """Tell MLflow all of a finished run; ``tracked`` stays False where it must be told again later."""
        if run.id in self._telling:
            return run
        self._telling.add(run.id)
        late = run.mlflow_run_id is None or run.message.startswith(_NOT_YET)
        try:
            if run.mlflow_run_id is None:
                child = await self.call(self.tracking.begin_run, sweep, run)
                run = self._change(run, mlflow_run_id=child)
            result = self._result(run)
            metrics = await self.call(self.tracking.finish_run, sweep, run, result, self.layout.run(run.id))
            if late:
                await self.call(self.tracking.drop_others, sweep, run)
        except UnavailableError as error:
            self.behind = True
            message = run.message or f"{_NOT_YET}: {error.message}"
            return run if run.message == message else self._change(run, message=message)
        finally:
            self._telling.discard(run.id)
        message = "" if run.message.startswith(_NOT_YET) else run.message
        warnings = list(dict.fromkeys([*run.warnings, *not_comparable(metrics)]))
        return self._change(run, metrics=metrics, warnings=warnings, tracked=True, message=message)

    def track_beside(self, sweep: Sweep, run: Run) -> None:
        """Tell MLflow of a step's finished run while the next step begins; :meth:`told` waits for it."""
        task = asyncio.create_task(self._track_beside(sweep, run))
        tasks = self._beside.setdefault(sweep.pipeline_run, set())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _track_beside(self, sweep: Sweep, run: Run) -> None:
        # MLflow's part is done while the next notebook is executed, not while that is made ready
        await asyncio.sleep(BESIDE_SECONDS)
        try:
            await self.track(sweep, run)
        except ConflictError:
            log.info("Run %s moved on while MLflow was told of it", run.id, exc_info=True)
        except Exception:
            log.exception("MLflow could not be told of run %s; that is tried again", run.id)
            self.behind = True

    async def told(self, pipeline_run: str) -> None:
        """Wait until MLflow was told of all steps of a pipeline's run, or could not be."""
        await asyncio.gather(*self._beside.pop(pipeline_run, ()))

    async def close(self) -> None:
        """Tell nothing more; the next service does."""
        tasks = [task for tasks in self._beside.values() for task in tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def finish_sweep(self, sweep: Sweep) -> None:
        """Close the parent run of a sweep, given as it is at its end; where MLflow is gone that follows."""
        if not _has_parent_of_its_own(sweep):
            return
        try:
            await self.call(self.tracking.finish_sweep, sweep)
        except UnavailableError as error:
            log.warning("Sweep %s could not be closed in MLflow: %s", sweep.id, error.message)
            self.finish_later(sweep)
        else:
            self.store.infos.remove_unclosed(self.service, sweep.id)

    async def finish_pipeline(self, run: PipelineRun) -> None:
        """Close a pipeline's run, as :meth:`finish_sweep` does a sweep."""
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
        """Have something closed in MLflow once it is over.

        Args:
            service: whose MLflow holds it; empty means this one's.
        """
        self.store.infos.add_unclosed(service or self.service, _unclosed_name(what))
        self.behind = True

    def settle(self, sweep_id: str, why: str, service: str = "") -> Sweep:
        """End with a sentence a sweep that cannot go on; MLflow is told later.

        Args:
            service: whose MLflow holds it; empty means this one's.
        """
        sweep = self.store.sweeps.get(sweep_id)
        if _has_parent_of_its_own(sweep):
            # first: whoever is killed in between knows it
            self.finish_later(sweep, service)
        self.behind = True
        return settle(self.store, sweep_id, why)

    def shares_mlflow(self, service: str) -> bool:
        """Whether another service writes to the same MLflow, as far as it said; each has an embedded one of its own."""
        said = self.store.infos.get(f"service:{service}")
        return bool(self.tracking.external and said and said["mlflow_message"] == self.tracking.external)

    async def catch_up(self) -> None:
        """Tell MLflow of the runs and the ends of sweeps it could not be told of."""
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
        """How many of some runs MLflow knows all of by now; it stops with the first that it cannot be told of."""
        for number, run in enumerate(runs):
            sweep = self.store.sweeps.get(run.sweep_id)
            try:
                if sweep.mlflow_run_id is None or (run.started_at is None and run.mlflow_run_id is None):
                    # it never reached a worker: there is nothing to tell
                    self._change(run, tracked=True)
                elif run.id not in self._telling and not (await self.track(sweep, run)).tracked:
                    return number
            except ConflictError:
                log.info("Run %s moved on while MLflow was told of it", run.id, exc_info=True)
        return len(runs)

    async def _finish(self, name: str) -> None:
        """Close in MLflow what is over by now; what goes on is closed at its end."""
        try:
            if name.startswith(PIPELINE_RUN):
                run_id, _, mlflow_run_id = name.removeprefix(PIPELINE_RUN).partition(":")
                run = self.store.pipeline_runs.get(run_id)
                if run.state in PIPELINE_RUN_OVER:
                    # it may have another one by now, in the MLflow of another service
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
            # its worker never finished it: what the store knows is all there is
            return RunResult(
                run_id=run.id,
                attempt=run.attempt,
                state=RunState(run.state),
                started_at=run.started_at or run.queued_at,
                ended_at=run.ended_at or run.queued_at,
                error=run.error,
            )
        return decode(msgspec.json.decode(data), RunResult)


def _has_parent_of_its_own(sweep: Sweep) -> bool:
    """A notebook's step stands directly below its pipeline's run, which ends later."""
    return bool(sweep.space) or not sweep.pipeline_run


def _unclosed_name(what: Sweep | PipelineRun) -> str:
    return what.id if isinstance(what, Sweep) else f"{PIPELINE_RUN}{what.id}:{what.mlflow_run_id}"
