"""Users' requests on pipeline runs."""

from __future__ import annotations

from uuid import uuid4

import msgspec

from ...core.cron import iso
from ...core.errors import ConflictError, NotFoundError
from ...core.lenient import check_supported
from ...core.messages import Message
from ...core.pipelines.order import edges, graph
from ...core.pipelines.records import PipelineRun, Trigger
from ...core.pipelines.requests import (
    BackfillAnswer,
    BackfillRequest,
    PipelineRunDetails,
    PipelineRunsPage,
    RetryRequest,
    RunRequest,
)
from ...core.record import now
from ...core.states import PIPELINE_RUN_OVER, PipelineRunState, StepState
from ...store import Firing
from ..base import RequestsBase
from .backfill import times_of
from .firing import run_of
from .run_checks import check_parameters, moment_of

_PAGE = 500


class RunRequests(RequestsBase):
    """Requests on pipeline runs."""

    def runs(self, pipeline_id: str, since: int = 0) -> PipelineRunsPage:
        """Runs of a pipeline that changed after a revision, newest first."""
        self.pipeline(pipeline_id)
        revision = self.store.revision()
        return PipelineRunsPage(
            runs=self.store.pipeline_runs.find(pipeline_id, since=since, limit=_PAGE), revision=revision
        )

    def run_details(self, run_id: str) -> PipelineRunDetails:
        """A run with its steps and their graph."""
        run = self.pipeline_run(run_id)
        definition = self.store.pipelines.version(run.pipeline_id, run.version).definition
        return PipelineRunDetails(run=run, steps=self.store.pipeline_runs.steps(run_id), graph=graph(definition))

    def start(self, pipeline_id: str, request: RunRequest) -> PipelineRun:
        """Queue a run of a pipeline.

        Raises:
            InvalidInputError: an unknown parameter, or an invalid time.
            NotFoundError: an unknown version.
        """
        pipeline = self.pipeline(pipeline_id)
        if pipeline.deleted_at:
            raise ConflictError(Message("This pipeline is deleted; restore it before running it."))
        number = request.version or pipeline.version
        check_parameters(self, self.store.pipelines.version(pipeline_id, number), request.parameters)
        at = now()
        return self.store.pipeline_runs.create(
            PipelineRun(
                id=uuid4().hex,
                pipeline_id=pipeline_id,
                version=number,
                cause="hand",
                started_by=self.layout.service,
                scheduled_at=iso(moment_of(request.scheduled_time)) if request.scheduled_time else at,
                parameters=request.parameters,
                created_at=at,
                message=Message("Waiting for the service"),
            )
        )

    def stop(self, run_id: str) -> PipelineRun:
        """Request the stop of a run; the service ends its kernels."""
        run = self.pipeline_run(run_id)
        if run.state in PIPELINE_RUN_OVER:
            raise ConflictError(Message("This run is over; there is nothing to stop."))
        return self.store.pipeline_runs.change(run_id, stop_requested=True)

    def retry(self, run_id: str, request: RetryRequest) -> PipelineRun:
        """Repeat a run's failed steps and all steps behind them.

        Raises:
            ConflictError: the run is not over, or nothing failed.
        """
        run = self.pipeline_run(run_id)
        if run.state not in (PipelineRunState.FAILED, PipelineRunState.STOPPED):
            raise ConflictError(
                Message("Only a run that is over and failed or was stopped can be repeated; run it anew instead.")
            )
        steps = {step.step: step for step in self.store.pipeline_runs.steps(run_id)}
        for record in (run, *steps.values()):
            check_supported("run", record)
        if request.step and request.step not in steps:
            raise NotFoundError(Message("This run has no step “{step}”.", step=request.step))
        failed = {name for name, step in steps.items() if step.state in (StepState.FAILED, StepState.STOPPED)}
        # includes steps with run_if: failed or always
        again = _with_descendants(
            failed | {request.step} & steps.keys(),
            edges(self.store.pipelines.version(run.pipeline_id, run.version).definition),
        )
        again |= {name for name, step in steps.items() if step.state is StepState.SKIPPED}
        for name in again:
            step = steps[name]
            begun = bool(step.sweeps) and step.state is not StepState.SKIPPED
            self.store.pipeline_runs.change_step(
                step.id,
                state=StepState.WAITING,
                attempt=step.attempt + begun,
                failures=0,
                retry_at=None,
                error=None,
                outputs={},
                ended_at=None,
                message=Message(),
            )
        return self.store.pipeline_runs.change(
            run_id,
            expect=[run.state],
            state=PipelineRunState.QUEUED,
            stop_requested=False,
            # deadline and duration count from the restart
            started_at=None,
            ended_at=None,
            alerted=[],
            message=Message("Waiting for the service"),
        )

    def backfill(self, pipeline_id: str, request: BackfillRequest) -> BackfillAnswer:
        """Run a schedule's times in a range, except those that it fired already.

        Raises:
            InvalidInputError: the range is invalid, or the pipeline has no such schedule.
        """
        self.pipeline(pipeline_id)
        if request.trigger_id:
            self.trigger(request.trigger_id)
        trigger, times = times_of(self.store, pipeline_id, request)
        if not times:
            return BackfillAnswer()
        known = self._fired(trigger, times)
        if request.dry_run:
            return BackfillAnswer(times=times, known=len(known))
        at, name = now(), self.layout.service
        due = [
            (time, msgspec.structs.replace(run_of(trigger, "backfill", time, at), started_by=name), Message())
            for time in times
        ]
        for _ in range(10):
            self.store.triggers.fire([Firing(trigger, trigger.next_at, due, trigger.message)], at, name)
            present = self.store.triggers.get(trigger.id)
            if self._fired(trigger, times) >= set(times):
                return BackfillAnswer(times=times, known=len(known))
            # the schedule fired or was changed in between
            trigger = present
        raise ConflictError(Message("The schedule is changed too often at once; try again."))

    def _fired(self, trigger: Trigger, times: list[str]) -> set[str]:
        """Which of the times made a run; missed and skipped ones did not."""
        return {
            fire.scheduled_at for fire in self.store.triggers.fired(trigger.id, since=times[0]) if fire.run_id
        } & set(times)


def _with_descendants(steps: set[str], waits: dict[str, list[str]]) -> set[str]:
    found = set(steps)
    while more := {name for name, before in waits.items() if found & set(before)} - found:
        found |= more
    return found
