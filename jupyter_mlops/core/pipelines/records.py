"""The frozen records of what is kept of pipelines: versions, what fires them, what became of it.

See :mod:`.records` for how times, durations and sizes are written.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec.structs import force_setattr

from ..record import Record
from ..runs import InputFile, Kernelspec, RunError
from ..states import PipelineRunState, Reason, StepState
from .definition import AlertKind, PipelineDefinition

TriggerKind = Literal["cron", "files", "pipeline", "http"]
Overlap = Literal["skip", "queue", "replace"]
Missed = Literal["skip", "one", "all"]
Cause = Literal["hand", "cron", "files", "pipeline", "http", "backfill"]


class RunMark(Record, frozen=True, kw_only=True):
    """One past run as a strip shows it."""

    id: str
    number: int
    state: PipelineRunState
    at: str
    seconds: float | None = None


class Pipeline(Record, frozen=True, kw_only=True):
    """A promoted pipeline.

    Attributes:
        path: of the pipeline file, or of the notebook that was promoted: absolute in the store, relative to the
            server's root on the wire.
        project: folder whose code was frozen; as ``path``.
        version: number of the version that fires; ``versions``: of the newest one.
        paused: whether nothing fires it but a person.
        runs: how many runs there were.
        recent: the last runs, oldest first.
        triggers: how many of its schedules and triggers are switched on.
        next_at: when a schedule fires it next, None where none does.
        message: one line on what a person should know (a target that is gone, an environment that drifted).
        service: name of the service on whose machine it was made; another one takes its runs where that
            is gone or busy.
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
    message: str = ""
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
        folder: of the pipeline file, relative to the project; empty where it is the project's own.
        files: sha256 by path relative to the project: notebooks, code, frozen data.
        data: which of these are frozen data.
        kernels: kernelspec names by notebook.
        kernelspecs: what these are started by, by name.
        lock: sha256 of the list of installed packages, by kernelspec name.
        git_commit: with ``+`` behind it where the work tree was dirty; git_diff: sha256 of the
            difference, empty where there is none.
        source: what was promoted: ``run <id>``, ``sweep <id>``, ``file``, ``commit <id>``, ``version <n>``.
        note: what a person said of it.
        warnings: what could not be frozen.
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
    warnings: list[str] = []
    created_at: str = ""


class Trigger(Record, frozen=True, kw_only=True):
    """What starts a pipeline: a schedule, new files, another pipeline's end, a call.

    Attributes:
        cron, zone: of kind ``cron``: five fields, and a zone of the IANA database.
        pattern: of kind ``files``: any address that fsspec understands, with wildcards.
        upstream, on: of kind ``pipeline``: the other pipeline's id, and which end of it counts.
        token_hash: of kind ``http``: sha256 of the token; on the wire always empty.
        overlap: what becomes of a fire while an earlier run goes on.
        missed, grace: what becomes of times that passed while no service lived: none, the last, or all of those not
            longer than ``grace`` seconds ago.
        parameters: override the pipeline's.
        next_at: when it fires next; of kind ``files`` when it looks next.
        last_at: scheduled time of its last fire.
        message: one line on why it does not work, empty where it does.
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
    message: str = ""
    created_at: str = ""
    revision: int = 0


class Fire(Record, frozen=True, kw_only=True):
    """One firing of a trigger; a trigger has one at a scheduled time, however many services look.

    Attributes:
        scheduled_at: when it should fire; fired_at: when it did.
        service: that fired it.
        run_id: what it started, empty where it was skipped; ``reason`` says why.
    """

    trigger_id: str
    scheduled_at: str
    fired_at: str
    service: str
    run_id: str = ""
    reason: str = ""


class LogLine(Record, frozen=True, kw_only=True):
    """One line of a pipeline run's history."""

    at: str
    text: str
    step: str = ""


class PipelineRun(Record, frozen=True, kw_only=True):
    """One run of a pipeline's version.

    Attributes:
        number: counts within the pipeline, from 1.
        cause, trigger_id, scheduled_at: what started it, and the time it was meant for.
        parameters: all the pipeline's, as they are in this run.
        service: name of the service that has it, empty where none took it yet.
        started_by: see :class:`~jupyter_mlops.core.sweeps.Sweep`.
        steps: how many steps are in which state.
        drift: what is installed otherwise than at promotion, empty where nothing is.
        log: what a person should know of its way: repetitions, losses, skips.
        alerted: of what was told by alerts.
        message: one line on what it waits for or why it ended; reason: what of that the program acts on.
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
    message: str = ""
    reason: Reason = Reason.NONE
    revision: int = 0


class StepRun(Record, frozen=True, kw_only=True):
    """One step in one pipeline run.

    Attributes:
        attempt: from 1; it grows with each repetition.
        sweeps: of each attempt, oldest first: the sweep that executed it; one of one run where the step is no sweep.
        notebook_run: run whose notebook shows best what it did: its only one, or its sweep's best.
        parameters: as its references were resolved.
        defaults: of the notebook's other parameters, see :class:`~jupyter_mlops.core.sweeps.Sweep`.
        outputs: by name, what later steps can refer to.
        inputs: files it read.
        fingerprint: equal for equal notebook, code, parameters, inputs and environment; empty where it is not reused.
        reused: pipeline run that the result was taken from.
        retry_at: when it is repeated, None where it is not.
        message: one line on what it waits for or why it ended so; reason: what of that the program acts on.
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
    message: str = ""
    reason: Reason = Reason.NONE
    revision: int = 0

    def __post_init__(self) -> None:
        if self.reason is Reason.NONE:
            force_setattr(self, "reason", Reason.of_text(self.message))
