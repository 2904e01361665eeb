"""The frozen records of what people ask of pipelines, and of what is answered.

See :mod:`.records` for how times, durations and sizes are written.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from ..record import MAX_INTEGER, FilePath, Id, Integer, Name, Names, Record, Seconds, Text, Timestamp, Values
from ..sweeps import Sweep
from .definition import Alerts, GraphStep, Retention
from .records import Missed, Overlap, Pipeline, PipelineRun, StepRun, Trigger, TriggerKind, Version

MAX_KEY_LENGTH = 250  # characters of a caller's Idempotency-Key
# of a version
Number = Annotated[int, Meta(ge=1, le=MAX_INTEGER)]


class ScheduleRequest(Record, frozen=True, kw_only=True):
    """A trigger as a person asks for it; see :class:`Trigger`."""

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
    """A new trigger; the token of one of kind ``http`` is shown this once."""

    trigger: Trigger
    token: str = ""


class TriggerChange(Record, frozen=True, kw_only=True):
    """What a person may change of a trigger; None leaves a field as it is."""

    enabled: bool | None = None
    cron: Name | None = None
    zone: Name | None = None
    pattern: FilePath | None = None
    overlap: Overlap | None = None
    missed: Missed | None = None
    grace: Seconds | None = None
    parameters: Values | None = None


class PromoteRequest(Record, frozen=True, kw_only=True):
    """What is to become a pipeline's next version; exactly one of ``run_id``, ``sweep_id`` and ``path`` is given.

    Attributes:
        run_id: a finished run: its notebook with its values.
        sweep_id: the sweep's best run.
        path: a pipeline file, or a notebook as it stands.
        files: contents, by path relative to the project, of all that is frozen: so a commit is promoted that is
            checked out nowhere. ``path`` ends with one of these paths, and says where the project is; it is made where
            it is not there yet.
        commit: that ``files`` are of.
        pipeline_id: make it a version of this one; empty: of the one made from the same file, else a new one.
        name: of a new pipeline; empty means the file's.
        kernel: kernelspec that runs all its notebooks; empty: what the run had, else each notebook's own.
        alerts, environment, retries, timeout, …: of a notebook's pipeline; a pipeline file says them itself.
        schedule: to begin with.
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
    """What became of it."""

    pipeline: Pipeline
    version: Version
    trigger: Trigger | None = None


class PipelineChange(Record, frozen=True, kw_only=True):
    """What a person may change of a pipeline; None leaves a field as it is."""

    name: Name | None = None
    paused: bool | None = None
    version: Number | None = None


class RunRequest(Record, frozen=True, kw_only=True):
    """A run by hand.

    Attributes:
        parameters: override the pipeline's.
        version: None for the one that fires.
        scheduled_time: the time it is meant for, ISO; empty means now.
    """

    parameters: Values = {}
    version: Number | None = None
    scheduled_time: Timestamp = ""


class RetryRequest(Record, frozen=True, kw_only=True):
    """A repetition of a run's failed steps, and of all behind them.

    Attributes:
        step: from here on; empty means those that failed.
    """

    step: Name = ""


class BackfillRequest(Record, frozen=True, kw_only=True):
    """Runs for the times of a schedule that lie in a range; those it has fired already are not repeated.

    Attributes:
        trigger_id: the schedule; empty means the pipeline's only one.
        start, end: ISO dates or times, both included; without a zone they are the schedule's.
        dry_run: only count.
    """

    start: Timestamp
    end: Timestamp
    trigger_id: Id = ""
    dry_run: bool = False


class BackfillAnswer(Record, frozen=True, kw_only=True):
    """The times of a backfill, and how many of them had been fired already."""

    times: list[str] = []
    known: int = 0


class CronRequest(Record, frozen=True, kw_only=True):
    """A schedule while it is typed."""

    cron: Text
    zone: Name = "UTC"


class CronCheck(Record, frozen=True, kw_only=True):
    """What a cron line means.

    Attributes:
        words: in plain words.
        next: the next five times, ISO with the zone's offset.
        error: what is wrong with it, empty where nothing is; ``field`` says whether with cron or zone.
    """

    words: str = ""
    next: list[str] = []
    error: str = ""
    field: Literal["", "cron", "zone"] = ""


class Changes(Record, frozen=True, kw_only=True):
    """Sweeps and pipelines that changed after a revision, and the revision to ask from next time."""

    sweeps: list[Sweep]
    revision: int
    pipelines: list[Pipeline] = []


class PipelineRunDetails(Record, frozen=True, kw_only=True):
    """A run with its steps and their graph."""

    run: PipelineRun
    steps: list[StepRun]
    graph: list[GraphStep] = []


class PipelineRunsPage(Record, frozen=True, kw_only=True):
    """Runs of a pipeline that changed after a revision, newest first."""

    runs: list[PipelineRun]
    revision: int


class PipelineDetails(Record, frozen=True, kw_only=True):
    """A pipeline with its triggers, its versions and the graph of the one that fires.

    Attributes:
        keeper: which process fires it, in one sentence; ``keeper_ends``: whether that ends with the login, so that a
            permanent service should be offered.
    """

    pipeline: Pipeline
    triggers: list[Trigger] = []
    versions: list[Version] = []
    graph: list[GraphStep] = []
    keeper: str = ""
    keeper_ends: bool = True


class VersionDiff(Record, frozen=True, kw_only=True):
    """What is different between two versions, as texts to show.

    Attributes:
        parameters: one line each: ``step.name: old → new``.
        environment: one line each: ``package old → new``.
        files: one line each.
        notebooks: by path, what nbdime says.
        code: by path, unified differences.
    """

    older: int
    newer: int
    parameters: list[str] = []
    environment: list[str] = []
    files: list[str] = []
    notebooks: dict[str, str] = {}
    code: dict[str, str] = {}
