"""The handlers of pipelines, and at the end their table of routes."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from tornado import web

from ..core.errors import ForbiddenError, NotFoundError
from ..core.messages import Message
from ..core.pipelines.definition import PipelineCheck, PipelineText, StepAdd, TextAnswer
from ..core.pipelines.records import Pipeline, PipelineRun, Trigger, Version
from ..core.pipelines.requests import (
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
from .routes import Operation, Route


class PipelinesHandler(Boundary):
    """Promotion."""

    @web.authenticated
    @authorized("write", "mlops")
    async def post(self) -> None:
        """Make a new pipeline, or the next version of one."""
        request = self.body(PromoteRequest)
        if request.path:
            self.file(request.path)
        pipelines = await self.pipelines()
        answer = await self.call(pipelines.promote, request, await self.kernelspecs())
        await self.call(self.backend.wake)
        self.answer(answer, 201)


class PipelineHandler(Boundary):
    """One pipeline."""

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self, pipeline_id: str) -> None:
        """Answer it, with its triggers and versions."""
        pipelines = await self.pipelines()
        self.answer(await self.call(pipelines.details, pipeline_id))

    @web.authenticated
    @authorized("write", "mlops")
    async def patch(self, pipeline_id: str) -> None:
        """Rename it, pause it, or let another version fire."""
        change = self.body(PipelineChange)
        pipelines = await self.pipelines()
        self.answer(await self.call(pipelines.change, pipeline_id, change))
        await self.call(self.backend.wake)

    @web.authenticated
    @authorized("write", "mlops")
    async def delete(self, pipeline_id: str) -> None:
        """Put it aside; nothing fires it any more."""
        pipelines = await self.pipelines()
        await self.call(pipelines.delete, pipeline_id)
        self.answer(None, 204)


class PipelineRestoreHandler(Boundary):
    """Bringing a deleted pipeline back."""

    @web.authenticated
    @authorized("write", "mlops")
    async def post(self, pipeline_id: str) -> None:
        """Do it."""
        pipelines = await self.pipelines()
        self.answer(await self.call(pipelines.restore, pipeline_id))
        await self.call(self.backend.wake)


class PipelineRunsHandler(Boundary):
    """Runs of a pipeline."""

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self, pipeline_id: str) -> None:
        """List those changed after the query's ``since``."""
        pipelines = await self.pipelines()
        self.answer(await self.call(pipelines.runs, pipeline_id, self.number("since")))

    @web.authenticated
    @authorized("write", "mlops")
    async def post(self, pipeline_id: str) -> None:
        """Run it now."""
        request = self.body(RunRequest)
        pipelines = await self.pipelines()
        run = await self.call(pipelines.start, pipeline_id, request)
        await self.call(self.backend.wake)
        self.answer(run, 201)


class BackfillHandler(Boundary):
    """Runs for times that passed."""

    @web.authenticated
    @authorized("write", "mlops")
    async def post(self, pipeline_id: str) -> None:
        """Make them, or only say which they would be."""
        request = self.body(BackfillRequest)
        pipelines = await self.pipelines()
        answer = await self.call(pipelines.backfill, pipeline_id, request)
        await self.call(self.backend.wake)
        self.answer(answer)


class VersionHandler(Boundary):
    """One version."""

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self, pipeline_id: str, number: str) -> None:
        """Answer it."""
        pipelines = await self.pipelines()
        self.answer(await self.call(pipelines.version, pipeline_id, _whole(number)))


class DiffHandler(Boundary):
    """What is different between two versions."""

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self, pipeline_id: str) -> None:
        """Answer it for the query's ``older`` and ``newer``."""
        pipelines = await self.pipelines()
        self.answer(await self.call(pipelines.diff, pipeline_id, self.number("older", 9), self.number("newer", 9)))


class TriggersHandler(Boundary):
    """Schedules and triggers of a pipeline."""

    @web.authenticated
    @authorized("write", "mlops")
    async def post(self, pipeline_id: str) -> None:
        """Add one."""
        request = self.body(ScheduleRequest)
        pipelines = await self.pipelines()
        answer = await self.call(pipelines.add_trigger, pipeline_id, request)
        await self.call(self.backend.wake)
        self.answer(answer, 201)


class TriggerHandler(Boundary):
    """One schedule or trigger."""

    @web.authenticated
    @authorized("write", "mlops")
    async def patch(self, trigger_id: str) -> None:
        """Change it, pause it, resume it."""
        change = self.body(TriggerChange)
        pipelines = await self.pipelines()
        self.answer(await self.call(pipelines.change_trigger, trigger_id, change))
        await self.call(self.backend.wake)

    @web.authenticated
    @authorized("write", "mlops")
    async def delete(self, trigger_id: str) -> None:
        """Remove it."""
        pipelines = await self.pipelines()
        await self.call(pipelines.delete_trigger, trigger_id)
        self.answer(None, 204)


class TriggerCallHandler(Boundary):
    """A call from outside, by whoever has the trigger's token instead of an account here."""

    def check_xsrf_cookie(self) -> None:
        """There is no browser, and so no cookie; the token is in no browser's keeping."""

    @allow_unauthenticated
    async def post(self, trigger_id: str) -> None:
        """Fire it, or answer with the run that an earlier call of the same key or scheduled time made."""
        words = self.request.headers.get("Authorization", "").split()
        token = words[1] if len(words) == 2 and words[0].lower() in ("bearer", "token") else ""
        pipelines = await self.pipelines()
        try:
            trigger = await self.call(pipelines.checked_trigger, trigger_id, token)
        except NotFoundError:
            # who has no token learns nothing of what there is
            raise ForbiddenError(
                Message("This call needs the trigger's token: “Authorization: Bearer TOKEN”.")
            ) from None
        key = self.request.headers.get("Idempotency-Key", "")
        run = await self.call(pipelines.fire_by_call, trigger, self.body(RunRequest), key)
        await self.call(self.backend.wake)
        self.answer(run, 201)


class PipelineRunHandler(Boundary):
    """One run of a pipeline."""

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self, run_id: str) -> None:
        """Answer it, with its steps."""
        pipelines = await self.pipelines()
        self.answer(await self.call(pipelines.run_details, run_id))


class PipelineRunStopHandler(Boundary):
    """Ending a run."""

    @web.authenticated
    @authorized("write", "mlops")
    async def post(self, run_id: str) -> None:
        """Ask for it."""
        pipelines = await self.pipelines()
        run = await self.call(pipelines.stop, run_id)
        await self.call(self.backend.wake)
        self.answer(run)


class PipelineRunRetryHandler(Boundary):
    """Repeating what failed."""

    @web.authenticated
    @authorized("write", "mlops")
    async def post(self, run_id: str) -> None:
        """Ask for it."""
        request = self.body(RetryRequest)
        pipelines = await self.pipelines()
        run = await self.call(pipelines.retry, run_id, request)
        await self.call(self.backend.wake)
        self.answer(run)


class CronHandler(Boundary):
    """A schedule while it is typed."""

    @web.authenticated
    @authorized("read", "mlops")
    async def post(self) -> None:
        """Say in words what it means, and when it fires."""
        request = self.body(CronRequest)
        from ..core.cron import check

        self.answer(check(request.cron, request.zone, datetime.now(UTC)))


class TextCheckHandler(Boundary):
    """A pipeline's text while it is typed."""

    @web.authenticated
    @authorized("read", "mlops")
    async def post(self) -> None:
        """Say what it means and what is wrong with it."""
        request = self.body(PipelineText)
        file = self.file(request.path)
        from ..services.pipelines.pipeline_file import check

        self.answer(await self.call(check, file, request.text))


class TextStepHandler(Boundary):
    """A step to be written into a pipeline's text."""

    @web.authenticated
    @authorized("read", "mlops")
    async def post(self) -> None:
        """Answer the text with it."""
        request = self.body(StepAdd)
        self.file(request.path)
        from ..core.pipelines.text import add_step

        self.answer(TextAnswer(text=await self.call(add_step, request.text, request.name, request.step)))


def _whole(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise NotFoundError(Message("There is no version {text}.", text=text[:20]))
    return int(text)


PIPELINE_ROUTES = (
    Route(
        "pipelines",
        PipelinesHandler,
        {"post": Operation("Promote a run, a sweep or a file", PromoteAnswer, PromoteRequest, 201)},
    ),
    Route(
        "pipelines/{pipeline_id}",
        PipelineHandler,
        {
            "get": Operation("One pipeline", PipelineDetails),
            "patch": Operation("Rename, pause or roll back a pipeline", Pipeline, PipelineChange),
            "delete": Operation("Delete a pipeline, recoverably", None, status=204),
        },
    ),
    Route(
        "pipelines/{pipeline_id}/restore",
        PipelineRestoreHandler,
        {"post": Operation("Restore a deleted pipeline", Pipeline)},
    ),
    Route(
        "pipelines/{pipeline_id}/runs",
        PipelineRunsHandler,
        {
            "get": Operation("Runs of a pipeline that changed", PipelineRunsPage, query=("since",)),
            "post": Operation("Run a pipeline now", PipelineRun, RunRequest, 201),
        },
    ),
    Route(
        "pipelines/{pipeline_id}/backfill",
        BackfillHandler,
        {"post": Operation("Run a schedule's past times", BackfillAnswer, BackfillRequest)},
    ),
    Route(
        "pipelines/{pipeline_id}/versions/{number}",
        VersionHandler,
        {"get": Operation("One version of a pipeline", Version)},
    ),
    Route(
        "pipelines/{pipeline_id}/diff",
        DiffHandler,
        {"get": Operation("What is different between two versions", VersionDiff, query=("older", "newer"))},
    ),
    Route(
        "pipelines/{pipeline_id}/triggers",
        TriggersHandler,
        {"post": Operation("Add a schedule or trigger", ScheduleAnswer, ScheduleRequest, 201)},
    ),
    Route(
        "triggers/{trigger_id}",
        TriggerHandler,
        {
            "patch": Operation("Change a schedule or trigger", Trigger, TriggerChange),
            "delete": Operation("Remove a schedule or trigger", None, status=204),
        },
    ),
    Route(
        "triggers/{trigger_id}/call",
        TriggerCallHandler,
        {"post": Operation("Fire a trigger by its token", PipelineRun, RunRequest, 201, headers=("Idempotency-Key",))},
    ),
    Route("pipeline-runs/{run_id}", PipelineRunHandler, {"get": Operation("A run's steps", PipelineRunDetails)}),
    Route("pipeline-runs/{run_id}/stop", PipelineRunStopHandler, {"post": Operation("Stop a run", PipelineRun)}),
    Route(
        "pipeline-runs/{run_id}/retry",
        PipelineRunRetryHandler,
        {"post": Operation("Repeat a run's failed steps", PipelineRun, RetryRequest)},
    ),
    Route("cron", CronHandler, {"post": Operation("What a cron line means", CronCheck, CronRequest)}),
    Route(
        "pipeline-text/check",
        TextCheckHandler,
        {"post": Operation("Check a pipeline's text", PipelineCheck, PipelineText)},
    ),
    Route(
        "pipeline-text/step",
        TextStepHandler,
        {"post": Operation("Write a step into a pipeline's text", TextAnswer, StepAdd)},
    ),
)
