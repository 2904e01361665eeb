"""Claims queued pipeline runs, drives them, and takes over those of lost services."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from pathlib import Path

from ...core.errors import ConflictError, MlopsError, NotFoundError
from ...core.messages import Message
from ...core.pipelines.records import LogLine, Pipeline, PipelineRun
from ...core.record import now
from ...core.states import PIPELINE_RUN_OVER, PipelineRunState, StepState
from ..context import Context
from ..driver_tasks import DriverTasks
from ..ending import internal_error
from ..sweeps.manager import Drivers
from .driver import PipelineDriver
from .packages import Environments

log = logging.getLogger(__name__)

MOST_RUNS = 32  # in parallel; more would only wait for the same slots
MOST_BEGUN = 4  # per turn, so that a turn stays short
MOST_LOOKED_AT = 50  # pipelines per turn
LOOK_SECONDS = 2.0  # between two looks at the queue while all places are taken
AWAY_SECONDS = 10.0  # between two looks for a project folder that this machine does not have
BEATS = 6  # heartbeats within the time after which a service counts as lost
# after this time any service that sees the project folder may claim a run
PATIENCE_SECONDS = 3.0


class PipelineRuns(DriverTasks[PipelineDriver]):
    """The drivers of all pipeline runs of this service.

    Args:
        drivers: execute the sweeps behind the steps.
    """

    def __init__(self, context: Context, drivers: Drivers) -> None:
        super().__init__()
        self.context = context
        self.store = context.store
        self.drivers = drivers
        self.environments = Environments(context.store)
        self.lost: set[str] = set()  # services without heartbeat
        self.beat_seconds = context.settings.service_lost_after / BEATS
        self.waiting = False  # whether to look again even if the store does not change
        self._looked_at = 0.0
        self._concurrency: dict[str, int] = {}  # by the id of a queued run
        self._not_before: dict[str, float] = {}  # by run id: when to look at another service's queued run again
        self._beats: dict[str, tuple[tuple[int, int], float]] = {}

    @property
    def working(self) -> int:
        """Number of running pipeline runs."""
        return len(self._drivers)

    def take_up(self) -> None:
        """Drive this service's runs, wake those to be stopped, and claim queued ones."""
        for run in self.store.pipeline_runs.find(states=[PipelineRunState.RUNNING], service=self.context.service):
            if run.id not in self._drivers:
                self._drive(run)
            elif run.stop_requested:
                self._drivers[run.id][0].wake.set()
        self._claim()

    def _claim(self) -> None:
        self.waiting = False
        full = len(self._drivers) >= MOST_RUNS
        if full and time.monotonic() - self._looked_at < LOOK_SECONDS:
            self.waiting = True
            return
        self._looked_at = time.monotonic()
        self._stop_queued()
        first = self.store.pipeline_runs.first_queued()
        self._concurrency = {run_id: most for run_id, most in self._concurrency.items() if run_id in first}
        self._not_before = {run_id: moment for run_id, moment in self._not_before.items() if run_id in first}
        begun = looked_at = 0
        for run_id, running in first.items():
            if running >= self._concurrency.get(run_id, running + 1):
                continue
            if self._not_before.get(run_id, 0.0) > self._looked_at:
                self.waiting = True
                continue
            if begun >= MOST_BEGUN or looked_at >= MOST_LOOKED_AT or len(self._drivers) >= MOST_RUNS:
                self.waiting = True
                return
            looked_at += 1
            begun += self._begin(run_id)

    def _stop_queued(self) -> None:
        """End queued runs whose stop was requested by a user or by a newer run."""
        for run in self.store.pipeline_runs.find(
            states=[PipelineRunState.QUEUED], stop_requested=True, limit=MOST_LOOKED_AT
        ):
            self._end_queued(run, PipelineRunState.STOPPED, run.message or Message("Stopped"))

    def _begin(self, run_id: str) -> bool:
        """Claim and start a pipeline's first queued run, if this service may; whether it did."""
        try:
            run = self.store.pipeline_runs.get(run_id)
        except NotFoundError:
            log.info("Run %s was removed with its pipeline", run_id)
            return False
        try:
            pipeline = self.store.pipelines.get(run.pipeline_id)
            if not self._is_ours(pipeline, run):
                self.waiting = True
                return False
            # versions are immutable, so this can be cached
            concurrency = self.store.pipelines.version(run.pipeline_id, run.version).definition.concurrency
        except MlopsError as error:
            self._end_queued(run, PipelineRunState.FAILED, error.message)
            return False
        self._concurrency[run_id] = concurrency
        taken = self.store.pipeline_runs.claim(run_id, concurrency, self.context.service)
        if taken is not None:
            self._drive(taken)
            # the pipeline's next run may start, too
            self.waiting = self.waiting or concurrency > 1
        return taken is not None

    def _is_ours(self, pipeline: Pipeline, run: PipelineRun) -> bool:
        if pipeline.service in ("", self.context.service):
            return True
        left = PATIENCE_SECONDS - (datetime.now(UTC) - datetime.fromisoformat(run.created_at)).total_seconds()
        if left <= 0 and Path(pipeline.project).is_dir():
            return True
        # a project folder that is not visible from here is unlikely to appear soon
        self._not_before[run.id] = self._looked_at + (left if left > 0 else AWAY_SECONDS)
        return False

    def _end_queued(self, run: PipelineRun, state: PipelineRunState, message: Message) -> None:
        queued = [PipelineRunState.QUEUED]
        try:
            self.store.pipeline_runs.change(run.id, expect=queued, state=state, message=message, ended_at=now())
        except (ConflictError, NotFoundError):
            log.info("Run %s moved on meanwhile", run.id)

    def _drive(self, run: PipelineRun) -> None:
        driver = PipelineDriver(self.context, self.drivers, self.environments, run)
        self._start("pipeline-run", run.id, driver, driver.drive())

    def _failed(self, run_id: str, error: BaseException) -> None:
        run = self.store.pipeline_runs.get(run_id)
        if run.state in PIPELINE_RUN_OVER or run.service != self.context.service:
            return
        said = internal_error(error)
        for step in self.store.pipeline_runs.steps(run_id):
            if step.state in (StepState.RUNNING, StepState.WAITING):
                self.store.pipeline_runs.change_step(step.id, state=StepState.STOPPED, **said, ended_at=now())
            if step.state is StepState.RUNNING and step.sweeps:
                self.drivers.stop(step.sweeps[-1])
        if run.mlflow_run_id is not None:
            self.context.finish_later(run)
        self.store.pipeline_runs.change(run_id, state=PipelineRunState.FAILED, **said, ended_at=now())

    # -- runs of lost services ---------------------------------------------------------------------

    def look_after_others(self) -> None:
        """Take over the runs of services without heartbeat."""
        self.lost = self._lost_services()
        for run in self.store.pipeline_runs.find(states=[PipelineRunState.RUNNING]):
            if run.service in self.lost and Path(self.store.pipelines.get(run.pipeline_id).project).is_dir():
                self._take_over(run)

    def _lost_services(self) -> set[str]:
        present = self.store.leases.beats()
        moment = time.monotonic()
        lost = set()
        for name, beat in present.items():
            known = self._beats.get(name)
            if known is None or known[0] != beat:
                # use our own monotonic clock: machines sleep, and clocks differ
                self._beats[name] = (beat, moment)
            elif moment - known[1] > self.context.settings.service_lost_after:
                lost.add(name.removeprefix("service:"))
        return lost - {self.context.service}

    def _take_over(self, run: PipelineRun) -> None:
        if run.mlflow_run_id is not None and not self.context.shares_mlflow(run.service):
            self.context.finish_later(run, run.service)
        line = LogLine(at=now(), text=Message("The service that ran it was lost; another one goes on with it"))
        try:
            taken = self.store.pipeline_runs.change(
                run.id,
                expect=[PipelineRunState.RUNNING],
                expect_service=run.service,
                service=self.context.service,
                say=[line],
            )
        except ConflictError:
            return
        log.warning("Pipeline run %s was left behind by service %s, and is taken over", run.id, run.service)
        self._drive(taken)
