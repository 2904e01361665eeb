"""Records of promoted pipelines: versions, triggers, runs."""

from __future__ import annotations

from typing import Any, Literal

from msgspec.structs import force_setattr

from ..messages import Message
from ..record import Record, no_message
from ..runs import InputFile, Kernelspec, RunError
from ..states import PipelineRunState, Reason, StepState
from .definition import AlertKind, PipelineDefinition

TriggerKind = Literal["cron", "files", "pipeline", "http"]
Overlap = Literal["skip", "queue", "replace"]
Missed = Literal["skip", "one", "all"]
Cause = Literal["hand", "cron", "files", "pipeline", "http", "backfill"]


class RunMark(Record, frozen=True, kw_only=True):
    """A past run in the pipeline's strip of recent runs."""

    id: str
    number: int
    state: PipelineRunState
    at: str
    seconds: float | None = None


class Pipeline(Record, frozen=True, kw_only=True):
    """A promoted pipeline.

    Attributes:
        path: of the pipeline file or the promoted notebook; absolute in the store, relative to the server's root on
            the wire.
        project: folder whose code was frozen; absolute or relative as ``path``.
        version: number of the active version; ``versions``: of the newest one.
        paused: whether only users can start runs.
        runs: number of runs so far.
        recent: the last runs, oldest first.
        triggers: number of enabled schedules and triggers.
        next_at: time of the next scheduled run, None if there is none.
        message: one line on a problem, such as a missing target or a drifted environment.
        service: name of the service on whose machine it was promoted; others take its runs if that one is gone or busy.
    """

    id: str
    name: str
    path: str
    project: str
    version: int = 1
    versions: int = 1
    paused: bool = False
    runs: int = 0
    recent: list[RunMark] = []
    triggers: int = 0
    next_at: str | None = None
    message: Message = no_message()
    target: str = "local"
    steps: int = 1
    service: str = ""
    created_at: str = ""
    deleted_at: str | None = None
    revision: int = 0


class Version(Record, frozen=True, kw_only=True):
    """One immutable version of a pipeline.

    Attributes:
        definition: with notebooks relative to ``folder``.
        folder: of the pipeline file, relative to the project; empty for the project's root.
        files: sha256 by path relative to the project: notebooks, code, frozen data.
        data: paths of the frozen data.
        kernels: kernelspec names by notebook.
        kernelspecs: resolved kernelspecs by name.
        lock: sha256 of the list of installed packages, by kernelspec name.
        git_commit: followed by ``+`` if there were uncommitted changes; git_diff: sha256 of these, empty if none.
        source: what was promoted: ``run <id>``, ``sweep <id>``, ``file``, ``commit <id>``, ``version <n>``.
        note: the user's comment.
        warnings: files that could not be frozen.
    """

    pipeline_id: str
    number: int
    definition: PipelineDefinition
    folder: str = ""
    files: dict[str, str] = {}
    data: list[str] = []
    kernels: dict[str, str] = {}
    kernelspecs: dict[str, Kernelspec] = {}
    lock: dict[str, str] = {}
    git_commit: str = ""
    git_diff: str = ""
    source: str = ""
    note: str = ""
    warnings: list[Message] = []
    created_at: str = ""


class Trigger(Record, frozen=True, kw_only=True):
    """Starts a pipeline on a schedule, for new files, after another pipeline, or on request.

    Attributes:
        cron, zone: for kind ``cron``: five fields, and a zone of the IANA database.
        pattern: for kind ``files``: any address that fsspec understands, with wildcards.
        upstream, on: for kind ``pipeline``: the other pipeline's id, and the outcomes that count.
        token_hash: for kind ``http``: sha256 of the token; always empty on the wire.
        overlap: what to do with a fire while an earlier run is active.
        missed, grace: which times to make up for that passed while no service was running: none, the last, or all of
            the last ``grace`` seconds.
        parameters: override the pipeline's.
        next_at: time of the next fire; for kind ``files`` of the next poll.
        last_at: scheduled time of the last fire.
        message: one line on why it does not work, empty if it does.
    """

    id: str
    pipeline_id: str
    kind: TriggerKind = "cron"
    enabled: bool = True
    cron: str = ""
    zone: str = "UTC"
    pattern: str = ""
    upstream: str = ""
    on: Literal["succeeded", "failed", "ended"] = "succeeded"
    token_hash: str = ""
    overlap: Overlap = "queue"
    missed: Missed = "one"
    grace: float = 86_400.0
    parameters: dict[str, Any] = {}
    next_at: str | None = None
    last_at: str | None = None
    message: Message = no_message()
    created_at: str = ""
    revision: int = 0


class Fire(Record, frozen=True, kw_only=True):
    """One firing of a trigger, unique by trigger and scheduled time.

    Attributes:
        scheduled_at: when it was due; fired_at: when it fired.
        service: that fired it.
        run_id: the new run, empty if it was skipped; ``reason`` says why.
    """

    trigger_id: str
    scheduled_at: str
    fired_at: str
    service: str
    run_id: str = ""
    reason: Message = no_message()


class LogLine(Record, frozen=True, kw_only=True):
    """One line of a pipeline run's history."""

    at: str
    text: Message
    step: str = ""


class PipelineRun(Record, frozen=True, kw_only=True):
    """One run of a pipeline's version.

    Attributes:
        number: within the pipeline, from 1.
        cause, trigger_id, scheduled_at: what started it, and its scheduled time.
        parameters: values of all the pipeline's parameters.
        service: name of the service that claimed it, empty before.
        started_by: see :class:`~jupyter_mlops.core.sweeps.Sweep`.
        steps: number of steps by state.
        drift: packages that differ from those at promotion, empty if none do.
        log: its history: repetitions, losses, skips.
        alerted: kinds of alerts already sent.
        message: one line on why it waits or ended; reason: the part of it that the program acts on.
    """

    id: str
    pipeline_id: str
    version: int
    number: int = 0
    state: PipelineRunState = PipelineRunState.QUEUED
    cause: Cause = "hand"
    trigger_id: str = ""
    scheduled_at: str = ""
    parameters: dict[str, Any] = {}
    overlap: Overlap = "queue"
    service: str = ""
    started_by: str = ""
    stop_requested: bool = False
    steps: dict[str, int] = {}
    drift: str = ""
    log: list[LogLine] = []
    alerted: list[AlertKind] = []
    mlflow_experiment_id: str | None = None
    mlflow_run_id: str | None = None
    created_at: str = ""
    started_at: str | None = None
    ended_at: str | None = None
    message: Message = no_message()
    reason: Reason = Reason.NONE
    revision: int = 0


class StepRun(Record, frozen=True, kw_only=True):
    """One step in one pipeline run.

    Attributes:
        attempt: from 1; each repetition increases it.
        sweeps: the sweep that executed each attempt, oldest first; for a notebook step it has one run.
        notebook_run: the run whose notebook to show: the only one, or the sweep's best.
        parameters: with references resolved.
        defaults: of the notebook's other parameters, see :class:`~jupyter_mlops.core.sweeps.Sweep`.
        outputs: values that later steps can refer to, by name.
        inputs: files it read.
        fingerprint: equal for equal notebook, code, parameters, inputs and environment; empty if results are not
            reused.
        reused: pipeline run that the result was taken from.
        retry_at: time of the next repetition, None if there is none.
        message: one line on why it waits or ended; reason: the part of it that the program acts on.
    """

    id: str
    run_id: str
    pipeline_id: str
    step: str
    position: int = 0
    state: StepState = StepState.WAITING
    attempt: int = 1
    failures: int = 0
    sweeps: list[str] = []
    notebook_run: str = ""
    parameters: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    inputs: list[InputFile] = []
    fingerprint: str = ""
    reused: str = ""
    error: RunError | None = None
    started_at: str | None = None
    ended_at: str | None = None
    retry_at: str | None = None
    message: Message = no_message()
    reason: Reason = Reason.NONE
    revision: int = 0

    def __post_init__(self) -> None:
        if self.reason is Reason.NONE:
            force_setattr(self, "reason", Reason.of_text(self.message))
