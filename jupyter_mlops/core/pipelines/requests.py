"""Records of requests about pipelines, and of the responses."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from ..messages import Message
from ..record import (
    MAX_INTEGER,
    FilePath,
    Id,
    Integer,
    Name,
    Names,
    Record,
    Seconds,
    Text,
    Timestamp,
    Values,
    no_message,
)
from ..sweeps import Sweep
from .definition import Alerts, GraphStep, Retention
from .records import Missed, Overlap, Pipeline, PipelineRun, StepRun, Trigger, TriggerKind, Version

MAX_KEY_LENGTH = 250  # characters of a caller's Idempotency-Key
# of a version
Number = Annotated[int, Meta(ge=1, le=MAX_INTEGER)]


class ScheduleRequest(Record, frozen=True, kw_only=True):
    """A request for a new trigger; see :class:`Trigger`."""

    kind: TriggerKind = "cron"
    cron: Name = ""
    zone: Name = "UTC"
    pattern: FilePath = ""
    upstream: Id = ""
    on: Literal["succeeded", "failed", "ended"] = "succeeded"
    overlap: Overlap = "queue"
    missed: Missed = "one"
    grace: Seconds = 86_400.0
    parameters: Values = {}
    enabled: bool = True


class ScheduleAnswer(Record, frozen=True, kw_only=True):
    """A new trigger; for kind ``http`` with its token, which cannot be retrieved later."""

    trigger: Trigger
    token: str = ""


class TriggerChange(Record, frozen=True, kw_only=True):
    """Changes to a trigger; None leaves a field unchanged."""

    enabled: bool | None = None
    cron: Name | None = None
    zone: Name | None = None
    pattern: FilePath | None = None
    overlap: Overlap | None = None
    missed: Missed | None = None
    grace: Seconds | None = None
    parameters: Values | None = None


class PromoteRequest(Record, frozen=True, kw_only=True):
    """A request for a new version of a pipeline; exactly one of ``run_id``, ``sweep_id`` and ``path`` is set.

    Attributes:
        run_id: promote a finished run: its notebook with its values.
        sweep_id: promote the sweep's best run.
        path: promote a pipeline file or a notebook.
        files: contents of all files to freeze, by path relative to the project, for a commit that is not checked out.
            ``path`` must end with one of these paths, and thereby says where the project is; a missing folder is
            created.
        commit: of ``files``.
        pipeline_id: the pipeline to extend; empty means the one made from the same file, or else a new one.
        name: of a new pipeline; empty means the file's.
        kernel: name of the kernelspec for all its notebooks; empty means the run's, or else each notebook's own.
        alerts, environment, retries, timeout, …: for a notebook or run; a pipeline file defines them itself.
        schedule: first trigger.
    """

    run_id: Id = ""
    sweep_id: Id = ""
    path: FilePath = ""
    files: dict[str, bytes] = {}
    commit: Name = ""
    pipeline_id: Id = ""
    name: Name = ""
    kernel: Name = ""
    note: Text = ""
    schedule: ScheduleRequest | None = None
    retries: Integer = 0
    timeout: Seconds | None = None
    environment: Literal["warn", "refuse", "ignore"] = "warn"
    outputs: Names = []
    alerts: Alerts = Alerts()
    retention: Retention = Retention()


class PromoteAnswer(Record, frozen=True, kw_only=True):
    """The new version."""

    pipeline: Pipeline
    version: Version
    trigger: Trigger | None = None


class PipelineChange(Record, frozen=True, kw_only=True):
    """Changes to a pipeline; None leaves a field unchanged.

    Attributes:
        version: the version to make current.
        alerts, retention: for a notebook's pipeline; they make a version that is otherwise the current one.
    """

    name: Name | None = None
    paused: bool | None = None
    version: Number | None = None
    alerts: Alerts | None = None
    retention: Retention | None = None


class AlertTest(Record, frozen=True, kw_only=True):
    """What came of a test alert.

    Attributes:
        addresses: how many it was sent to.
        problems: one sentence for each address that it could not be delivered to; addresses count from 1.
    """

    addresses: int
    problems: list[str] = []


class RunRequest(Record, frozen=True, kw_only=True):
    """A request to run a pipeline now.

    Attributes:
        parameters: override the pipeline's.
        version: None for the active one.
        scheduled_time: value of the parameter ``scheduled_time``, ISO; empty means now.
    """

    parameters: Values = {}
    version: Number | None = None
    scheduled_time: Timestamp = ""


class RetryRequest(Record, frozen=True, kw_only=True):
    """A request to repeat steps of a run, and all steps that depend on them.

    Attributes:
        step: the first one; empty means all that failed.
    """

    step: Name = ""


class BackfillRequest(Record, frozen=True, kw_only=True):
    """A request for runs at the times of a schedule within a range, except for times that it has already fired.

    Attributes:
        trigger_id: the schedule; empty means the pipeline's only one.
        start, end: ISO dates or times, both included; without an offset they are in the schedule's zone.
        dry_run: only count.
    """

    start: Timestamp
    end: Timestamp
    trigger_id: Id = ""
    dry_run: bool = False


class BackfillAnswer(Record, frozen=True, kw_only=True):
    """The times of a backfill, and the number of times that had already been fired."""

    times: list[str] = []
    known: int = 0


class CronRequest(Record, frozen=True, kw_only=True):
    """A cron line to check while it is being edited."""

    cron: Text
    zone: Name = "UTC"


class CronCheck(Record, frozen=True, kw_only=True):
    """The result of checking a cron line.

    Attributes:
        words: description in English.
        next: the next five times, ISO with the zone's offset.
        error: one sentence, empty if it is valid; ``field`` says which of the two is wrong.
    """

    words: Message = no_message()
    next: list[str] = []
    error: Message = no_message()
    field: Literal["", "cron", "zone"] = ""


class Changes(Record, frozen=True, kw_only=True):
    """Sweeps and pipelines that changed after a revision, and the revision for the next request."""

    sweeps: list[Sweep]
    revision: int
    pipelines: list[Pipeline] = []


class PipelineRunDetails(Record, frozen=True, kw_only=True):
    """A pipeline run with its steps and their graph."""

    run: PipelineRun
    steps: list[StepRun]
    graph: list[GraphStep] = []


class PipelineRunsPage(Record, frozen=True, kw_only=True):
    """The runs of a pipeline that changed after a revision, newest first."""

    runs: list[PipelineRun]
    revision: int


class PipelineDetails(Record, frozen=True, kw_only=True):
    """A pipeline with its triggers, its versions and the graph of the active one.

    Attributes:
        keeper: one sentence on which process fires it; ``keeper_ends``: whether that process ends at logout, so that a
            permanent service should be offered.
    """

    pipeline: Pipeline
    triggers: list[Trigger] = []
    versions: list[Version] = []
    graph: list[GraphStep] = []
    keeper: Message = no_message()
    keeper_ends: bool = True


class VersionDiff(Record, frozen=True, kw_only=True):
    """The differences between two versions.

    Attributes:
        parameters: one line each, ``step.name: old → new``.
        environment: one line each, ``package old → new``.
        files: one line each.
        notebooks: nbdime's output by path.
        code: unified diffs by path.
    """

    older: int
    newer: int
    parameters: list[str] = []
    environment: list[str] = []
    files: list[str] = []
    notebooks: dict[str, str] = {}
    code: dict[str, str] = {}
