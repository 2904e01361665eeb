"""The handlers of pipelines, and at the end their table of routes."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from ..core.errors import ForbiddenError, NotFoundError
from ..core.messages import Message
from ..core.pipelines.definition import PipelineCheck, PipelineText, StepAdd, TextAnswer
from ..core.pipelines.records import Pipeline, PipelineRun, Trigger, Version
from ..core.pipelines.requests import (
    AlertTest,
    BackfillAnswer,
    BackfillRequest,
    CronCheck,
    CronRequest,
    PipelineChange,
    PipelineDetails,
    PipelineRunDetails,
    PipelineRunsPage,
    PromoteAnswer,
    PromoteRequest,
    RetryRequest,
    RunRequest,
    ScheduleAnswer,
    ScheduleRequest,
    TriggerChange,
    VersionDiff,
)
from .boundary import Boundary
from .routes import Route, operation


class PipelinesHandler(Boundary):
    """Promotion."""

    @operation("write", PromoteAnswer, PromoteRequest, status=201)
    async def post(self) -> None:
        """Promote a run, a sweep or a file."""
        request = self.body(PromoteRequest)
        if request.path:
            self.file(request.path)
        specs = await self.kernelspecs()
        await self.from_pipelines(lambda pipelines: pipelines.promote(request, specs), wake=True)


class PipelineHandler(Boundary):
    """A pipeline by its id, with its triggers and versions."""

    @operation("read", PipelineDetails)
    async def get(self, pipeline_id: str) -> None:
        """One pipeline."""
        await self.from_pipelines(lambda pipelines: pipelines.details(pipeline_id))

    @operation("write", Pipeline, PipelineChange)
    async def patch(self, pipeline_id: str) -> None:
        """Rename, pause or roll back a pipeline."""
        change = self.body(PipelineChange)
        await self.from_pipelines(lambda pipelines: pipelines.change(pipeline_id, change), wake=True)

    @operation("write", status=204)
    async def delete(self, pipeline_id: str) -> None:
        """Delete a pipeline, recoverably."""
        await self.from_pipelines(lambda pipelines: pipelines.delete(pipeline_id))


class PipelineRestoreHandler(Boundary):
    """Undoing a deletion."""

    @operation("write", Pipeline)
    async def post(self, pipeline_id: str) -> None:
        """Restore a deleted pipeline."""
        await self.from_pipelines(lambda pipelines: pipelines.restore(pipeline_id), wake=True)


class AlertTestHandler(Boundary):
    """Trying a pipeline's alerts."""

    @operation("write", AlertTest)
    async def post(self, pipeline_id: str) -> None:
        """Send a test alert to a pipeline's addresses."""
        await self.from_pipelines(lambda pipelines: pipelines.test_alert(pipeline_id))


class PipelineRunsHandler(Boundary):
    """Runs of a pipeline."""

    @operation("read", PipelineRunsPage, query=("since",))
    async def get(self, pipeline_id: str) -> None:
        """Runs of a pipeline that changed."""
        since = self.number("since")
        await self.from_pipelines(lambda pipelines: pipelines.runs(pipeline_id, since))

    @operation("write", PipelineRun, RunRequest, status=201)
    async def post(self, pipeline_id: str) -> None:
        """Run a pipeline now."""
        request = self.body(RunRequest)
        await self.from_pipelines(lambda pipelines: pipelines.start(pipeline_id, request), wake=True)


class BackfillHandler(Boundary):
    """Runs for times that passed, or only a list of these times."""

    @operation("write", BackfillAnswer, BackfillRequest)
    async def post(self, pipeline_id: str) -> None:
        """Run a schedule's past times."""
        request = self.body(BackfillRequest)
        await self.from_pipelines(lambda pipelines: pipelines.backfill(pipeline_id, request), wake=True)


class VersionHandler(Boundary):
    """A version by its number."""

    @operation("read", Version)
    async def get(self, pipeline_id: str, number: str) -> None:
        """One version of a pipeline."""
        if not re.fullmatch("[0-9]{1,9}", number):
            raise NotFoundError(Message("There is no version {text}.", text=number[:20]))
        await self.from_pipelines(lambda pipelines: pipelines.version(pipeline_id, int(number)))


class DiffHandler(Boundary):
    """Comparison of the versions ``older`` and ``newer``."""

    @operation("read", VersionDiff, query=("older", "newer"))
    async def get(self, pipeline_id: str) -> None:
        """What is different between two versions."""
        older, newer = self.number("older", 9), self.number("newer", 9)
        await self.from_pipelines(lambda pipelines: pipelines.diff(pipeline_id, older, newer))


class TriggersHandler(Boundary):
    """Schedules and triggers of a pipeline."""

    @operation("write", ScheduleAnswer, ScheduleRequest, status=201)
    async def post(self, pipeline_id: str) -> None:
        """Add a schedule or trigger."""
        request = self.body(ScheduleRequest)
        await self.from_pipelines(lambda pipelines: pipelines.add_trigger(pipeline_id, request), wake=True)


class TriggerHandler(Boundary):
    """A schedule or trigger by its id."""

    @operation("write", Trigger, TriggerChange)
    async def patch(self, trigger_id: str) -> None:
        """Change a schedule or trigger."""
        change = self.body(TriggerChange)
        await self.from_pipelines(lambda pipelines: pipelines.change_trigger(trigger_id, change), wake=True)

    @operation("write", status=204)
    async def delete(self, trigger_id: str) -> None:
        """Remove a schedule or trigger."""
        await self.from_pipelines(lambda pipelines: pipelines.delete_trigger(trigger_id))


class TriggerCallHandler(Boundary):
    """A call from outside, authenticated by the trigger's token instead of an account.

    A call that repeats an earlier one's key or scheduled time gets that one's run.
    """

    def check_xsrf_cookie(self) -> None:
        """Check nothing: browsers do not store the token, so no other site can send it."""

    @operation("anyone", PipelineRun, RunRequest, status=201, headers=("Idempotency-Key",))
    async def post(self, trigger_id: str) -> None:
        """Fire a trigger by its token."""
        words = self.request.headers.get("Authorization", "").split()
        token = words[1] if len(words) == 2 and words[0].lower() in ("bearer", "token") else ""
        pipelines = await self.call(self.backend.open_pipelines)
        try:
            trigger = await self.call(pipelines.checked_trigger, trigger_id, token)
        except NotFoundError:
            # without a token, the answer does not reveal which triggers exist
            raise ForbiddenError(
                Message("This call needs the trigger's token: “Authorization: Bearer TOKEN”.")
            ) from None
        request, key = self.body(RunRequest), self.request.headers.get("Idempotency-Key", "")
        await self.from_pipelines(lambda pipelines: pipelines.fire_by_call(trigger, request, key), wake=True)


class PipelineRunHandler(Boundary):
    """A pipeline run by its id."""

    @operation("read", PipelineRunDetails)
    async def get(self, run_id: str) -> None:
        """A run's steps."""
        await self.from_pipelines(lambda pipelines: pipelines.run_details(run_id))


class PipelineRunStopHandler(Boundary):
    """Ending a run."""

    @operation("write", PipelineRun)
    async def post(self, run_id: str) -> None:
        """Stop a run."""
        await self.from_pipelines(lambda pipelines: pipelines.stop(run_id), wake=True)


class PipelineRunRetryHandler(Boundary):
    """Retrying a run."""

    @operation("write", PipelineRun, RetryRequest)
    async def post(self, run_id: str) -> None:
        """Repeat a run's failed steps."""
        request = self.body(RetryRequest)
        await self.from_pipelines(lambda pipelines: pipelines.retry(run_id, request), wake=True)


class CronHandler(Boundary):
    """A schedule while it is typed."""

    @operation("read", CronCheck, CronRequest)
    async def post(self) -> None:
        """What a cron line means."""
        request = self.body(CronRequest)
        from ..core.cron import check

        self.answer(check(request.cron, request.zone, datetime.now(UTC)))


class TextCheckHandler(Boundary):
    """A pipeline's text while it is typed."""

    @operation("read", PipelineCheck, PipelineText)
    async def post(self) -> None:
        """Check a pipeline's text."""
        request = self.body(PipelineText)
        file = self.file(request.path)
        from ..services.pipelines.pipeline_file import check

        most = self.backend.settings.max_runs
        await self.from_pipelines(lambda pipelines: check(file, request.text, most, pipelines.targets))


class TextStepHandler(Boundary):
    """A new step in a pipeline's text."""

    @operation("read", TextAnswer, StepAdd)
    async def post(self) -> None:
        """Write a step into a pipeline's text."""
        request = self.body(StepAdd)
        self.file(request.path)
        from ..core.pipelines.editing import add_step

        self.answer(TextAnswer(text=await self.call(add_step, request.text, request.name, request.step)))


PIPELINE_ROUTES = (
    Route("pipelines", PipelinesHandler),
    Route("pipelines/{pipeline_id}", PipelineHandler),
    Route("pipelines/{pipeline_id}/restore", PipelineRestoreHandler),
    Route("pipelines/{pipeline_id}/test-alert", AlertTestHandler),
    Route("pipelines/{pipeline_id}/runs", PipelineRunsHandler),
    Route("pipelines/{pipeline_id}/backfill", BackfillHandler),
    Route("pipelines/{pipeline_id}/versions/{number}", VersionHandler),
    Route("pipelines/{pipeline_id}/diff", DiffHandler),
    Route("pipelines/{pipeline_id}/triggers", TriggersHandler),
    Route("triggers/{trigger_id}", TriggerHandler),
    Route("triggers/{trigger_id}/call", TriggerCallHandler),
    Route("pipeline-runs/{run_id}", PipelineRunHandler),
    Route("pipeline-runs/{run_id}/stop", PipelineRunStopHandler),
    Route("pipeline-runs/{run_id}/retry", PipelineRunRetryHandler),
    Route("cron", CronHandler),
    Route("pipeline-text/check", TextCheckHandler),
    Route("pipeline-text/step", TextStepHandler),
)
