"""The frozen records of pipelines: what a person writes, what is promoted, what fires it, what became of it.

See :mod:`.records` for how times, durations and sizes are written.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from .records import InputFile, Objective, Record, RunError, Sampler, SecretRef, Sweep
from .states import PipelineRunState, StepState

TriggerKind = Literal["cron", "files", "pipeline", "http"]
Overlap = Literal["skip", "queue", "replace"]
Missed = Literal["skip", "one", "all"]
Cause = Literal["hand", "cron", "files", "pipeline", "http", "backfill"]
AlertKind = Literal["failure", "success", "slow", "recovery", "drift"]

# -- what a person writes ----------------------------------------------------------------------


class StepSweep(Record, frozen=True, kw_only=True):
    """Makes a step a sweep; it hands on the parameters, metrics and outputs of its best run.

    Attributes:
        space: as in :class:`~.records.SweepRequest`; fields may hold references.
        objective: by which the best run is known.
        slots: how many runs at once at most; None lets cores and memory decide.
    """

    space: dict[str, str]
    objective: Objective
    sampler: Sampler = Sampler()
    slots: int | None = None
    shared_prefix: bool = False


class Step(Record, frozen=True, kw_only=True):
    """One notebook or sweep of a pipeline.

    A *reference* is ``${NAME}`` for a parameter of the pipeline or ``${STEP.OUTPUT}`` for what an earlier
    step hands on; a text that is one reference and nothing else takes the value's own type.

    Attributes:
        notebook: path relative to the pipeline file's folder.
        sweep: makes it a sweep of that notebook.
        parameters: values for the notebook; texts may hold references.
        after: names of steps to wait for, beside those it refers to.
        when: condition on outputs of earlier steps, such as ``evaluate.auc > 0.7``; where it is false the step is
            skipped.
        run_if: whether it runs when all it waits for succeeded, when something before it failed, or always once that
            is over. Where what it waits for was skipped, it is skipped, too, unless it runs always.
        outputs: names of the notebook's variables that are handed on (numbers, texts, booleans, paths, lists of these).
        files: files that it leaves in ``MLOPS_RUN_DIR``, handed on by name as absolute paths.
        inputs: patterns of files that it reads, relative to the notebook's folder; recorded by hash at each run, beside
            those that are seen to be opened.
        reuse: whether an earlier result is taken where notebook, parameters, inputs and environment are the same.
        retries: how often it is repeated after a failure.
        retry_delay: seconds before the first repetition; ``retry_backoff`` times as long before each next one.
        repeat_lost: whether it is repeated when the process or machine that executed it was lost in its middle.
        timeout, cell_timeout: seconds, None for no limit.
        cpus: threads of one run's libraries, None for what the target gives.
        gpus: CUDA devices of one run, 0 or 1; with 1, a step that names no target runs on ``cuda``.
        memory: bytes that one run may take, None for no limit.
        target: where it runs; empty means the pipeline's.
        env: variables of its kernel's environment.
        secrets: variables of its kernel's environment, by where their values are found.
    """

    notebook: str
    sweep: StepSweep | None = None
    parameters: dict[str, Any] = {}
    after: list[str] = []
    when: str = ""
    run_if: Literal["succeeded", "failed", "always"] = "succeeded"
    outputs: list[str] = []
    files: dict[str, str] = {}
    inputs: list[str] = []
    reuse: bool = False
    retries: int = 0
    retry_delay: float = 30.0
    retry_backoff: float = 2.0
    repeat_lost: bool = True
    timeout: float | None = None
    cell_timeout: float | None = None
    cpus: int | None = None
    gpus: int | None = None
    memory: int | None = None
    target: str = ""
    env: dict[str, str] = {}
    secrets: dict[str, SecretRef] = {}


class Alerts(Record, frozen=True, kw_only=True):
    """Who is told of what.

    Attributes:
        to: addresses as apprise has them (``mailto://…``, ``slack://…``, ``json://…``), or where they are found.
        on: of what. ``recovery`` is the first success after a failure, ``drift`` a changed environment.
        slow: seconds after which a run is slow; None means three times the median of the last runs.
    """

    to: list[str | SecretRef] = []
    on: list[AlertKind] = msgspec.field(default_factory=lambda: ["failure", "recovery"])
    slow: float | None = None


class Retention(Record, frozen=True, kw_only=True):
    """Which past runs are kept; what a registered model comes from always is. None keeps all."""

    runs: int | None = None
    days: float | None = None


class PipelineDefinition(Record, frozen=True, kw_only=True):
    """A pipeline as its file says it.

    Attributes:
        name: shown to people.
        parameters: defaults, which a run, a trigger or a backfill may override; ``${scheduled_time}`` is always there.
        steps: by name, in the order of the file.
        target: of steps that name none.
        concurrency: how many runs at once; ``deadline``: seconds one run may take.
        environment: what to do where installed packages differ from those at promotion.
        frozen: patterns of data files to freeze with the code, relative to the file's folder.
        experiment: of MLflow; empty means the pipeline's name.
    """

    name: str = ""
    description: str = ""
    parameters: dict[str, Any] = {}
    steps: dict[str, Step]
    target: str = "local"
    concurrency: int = 1
    deadline: float | None = None
    environment: Literal["warn", "refuse", "ignore"] = "warn"
    frozen: list[str] = []
    experiment: str = ""
    alerts: Alerts = Alerts()
    retention: Retention = Retention()


class Problem(Record, frozen=True, kw_only=True):
    """What is wrong with a pipeline's text; line and column count from 1, 0 where no place is to blame."""

    message: str
    line: int = 0
    column: int = 0


class GraphStep(Record, frozen=True, kw_only=True):
    """One step as a graph draws it.

    Attributes:
        after: all it waits for: named, referred to, or asked for in its condition.
        layer: 0 for those that wait for nothing, else one more than the last it waits for.
    """

    name: str
    notebook: str
    sweep: bool = False
    after: list[str] = []
    when: str = ""
    run_if: str = "succeeded"
    layer: int = 0


class PipelineText(Record, frozen=True, kw_only=True):
    """A pipeline's text to be checked.

    Attributes:
        path: of its file, relative to the server's root.
    """

    path: str
    text: str


class PipelineCheck(Record, frozen=True, kw_only=True):
    """What a pipeline's text says, and what is wrong with it."""

    problems: list[Problem] = []
    definition: PipelineDefinition | None = None
    graph: list[GraphStep] = []


class StepAdd(Record, frozen=True, kw_only=True):
    """A step to be written into a pipeline's text."""

    path: str
    text: str
    name: str
    step: Step


class TextAnswer(Record, frozen=True, kw_only=True):
    """A text."""

    text: str


# -- what is kept of it ------------------------------------------------------------------------


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
        steps: how many steps are in which state.
        drift: what is installed otherwise than at promotion, empty where nothing is.
        log: what a person should know of its way: repetitions, losses, skips.
        alerted: of what was told by alerts.
        message: one line on what it waits for or why it ended.
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
    revision: int = 0


class StepRun(Record, frozen=True, kw_only=True):
    """One step in one pipeline run.

    Attributes:
        attempt: from 1; it grows with each repetition.
        sweeps: of each attempt, oldest first: the sweep that executed it; one of one run where the step is no sweep.
        notebook_run: run whose notebook shows best what it did: its only one, or its sweep's best.
        parameters: as its references were resolved.
        outputs: by name, what later steps can refer to.
        inputs: files it read.
        fingerprint: equal for equal notebook, code, parameters, inputs and environment; empty where it is not reused.
        reused: pipeline run that the result was taken from.
        retry_at: when it is repeated, None where it is not.
        message: one line on what it waits for or why it ended so.
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
    outputs: dict[str, Any] = {}
    inputs: list[InputFile] = []
    fingerprint: str = ""
    reused: str = ""
    error: RunError | None = None
    started_at: str | None = None
    ended_at: str | None = None
    retry_at: str | None = None
    message: str = ""
    revision: int = 0


# -- what a person asks ------------------------------------------------------------------------


class ScheduleRequest(Record, frozen=True, kw_only=True):
    """A trigger as a person asks for it; see :class:`Trigger`."""

    kind: TriggerKind = "cron"
    cron: str = ""
    zone: str = "UTC"
    pattern: str = ""
    upstream: str = ""
    on: Literal["succeeded", "failed", "ended"] = "succeeded"
    overlap: Overlap = "queue"
    missed: Missed = "one"
    grace: float = 86_400.0
    parameters: dict[str, Any] = {}
    enabled: bool = True


class ScheduleAnswer(Record, frozen=True, kw_only=True):
    """A new trigger; the token of one of kind ``http`` is shown this once."""

    trigger: Trigger
    token: str = ""


class TriggerChange(Record, frozen=True, kw_only=True):
    """What a person may change of a trigger; None leaves a field as it is."""

    enabled: bool | None = None
    cron: str | None = None
    zone: str | None = None
    pattern: str | None = None
    overlap: Overlap | None = None
    missed: Missed | None = None
    grace: float | None = None
    parameters: dict[str, Any] | None = None


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
        alerts, environment, retries, timeout, …: of a notebook's pipeline; a pipeline file says them itself.
        schedule: to begin with.
    """

    run_id: str = ""
    sweep_id: str = ""
    path: str = ""
    files: dict[str, bytes] = {}
    commit: str = ""
    pipeline_id: str = ""
    name: str = ""
    note: str = ""
    schedule: ScheduleRequest | None = None
    retries: int = 0
    timeout: float | None = None
    environment: Literal["warn", "refuse", "ignore"] = "warn"
    outputs: list[str] = []
    alerts: Alerts = Alerts()
    retention: Retention = Retention()


class PromoteAnswer(Record, frozen=True, kw_only=True):
    """What became of it."""

    pipeline: Pipeline
    version: Version
    trigger: Trigger | None = None


class PipelineChange(Record, frozen=True, kw_only=True):
    """What a person may change of a pipeline; None leaves a field as it is."""

    name: str | None = None
    paused: bool | None = None
    version: int | None = None


class RunRequest(Record, frozen=True, kw_only=True):
    """A run by hand.

    Attributes:
        parameters: override the pipeline's.
        version: None for the one that fires.
        scheduled_time: the time it is meant for, ISO; empty means now.
    """

    parameters: dict[str, Any] = {}
    version: int | None = None
    scheduled_time: str = ""


class RetryRequest(Record, frozen=True, kw_only=True):
    """A repetition of a run's failed steps, and of all behind them.

    Attributes:
        step: from here on; empty means those that failed.
    """

    step: str = ""


class BackfillRequest(Record, frozen=True, kw_only=True):
    """Runs for the times of a schedule that lie in a range; those it has fired already are not repeated.

    Attributes:
        trigger_id: the schedule; empty means the pipeline's only one.
        start, end: ISO dates or times, both included; without a zone they are the schedule's.
        dry_run: only count.
    """

    start: str
    end: str
    trigger_id: str = ""
    dry_run: bool = False


class BackfillAnswer(Record, frozen=True, kw_only=True):
    """The times of a backfill, and how many of them had been fired already."""

    times: list[str] = []
    known: int = 0


class CronRequest(Record, frozen=True, kw_only=True):
    """A schedule while it is typed."""

    cron: str
    zone: str = "UTC"


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
