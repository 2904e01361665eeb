"""The frozen records that the store keeps, the wire carries and OpenAPI describes.

Times are ISO 8601 strings in UTC (``2026-11-24T00:13:48.123456+00:00``): sortable as text, and the
same in the store, on the wire and on the command line. Durations are seconds, sizes bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from .states import RunState, SweepState

ParameterType = Literal["int", "float", "bool", "str", "none", "list", "dict", "choice", "any"]
# fresh: a new process; warm: forked after the imports; shared: forked after the sweep's shared cells
KernelStart = Literal["", "fresh", "warm", "shared"]


def now() -> str:
    """The present moment as records write it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one moment, as records write it, to another."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all records: immutable, named fields, unknown names refused when decoded."""


class Parameter(Record, frozen=True, kw_only=True):
    """One parameter that a notebook declares.

    Attributes:
        name: its name in the notebook's language.
        type: what its values are; ``any`` where neither annotation nor default tells.
        default: the literal default as JSON, None where it is not a literal.
        default_text: the default as the notebook writes it, to show a person.
        optional: whether None is accepted beside ``type`` (``X | None``).
        choices: the values a ``Literal`` allows.
        help: the comment behind the assignment, or the comment lines above it.
    """

    name: str
    type: ParameterType = "any"
    default: Any = None
    default_text: str = ""
    optional: bool = False
    choices: list[Any] | None = None
    help: str = ""


class Sampler(Record, frozen=True, kw_only=True):
    """How combinations are chosen from a space.

    Attributes:
        kind: ``grid`` takes every combination once, in order; ``random`` draws ``count`` different ones.
        count: how many runs ``random`` draws.
        seed: makes ``random`` repeatable.
    """

    kind: Literal["grid", "random"] = "grid"
    count: int | None = None
    seed: int = 0


class Objective(Record, frozen=True, kw_only=True):
    """The metric by which runs are compared."""

    metric: str
    direction: Literal["maximize", "minimize"] = "maximize"


class SweepRequest(Record, frozen=True, kw_only=True):
    """What a person asks for when starting a sweep; also what is remembered of a notebook's form.

    Attributes:
        path: the notebook, relative to the server's root (absolute on the command line).
        space: what to try, by parameter name, in the text grammar of ``core.space``
            (``3:8``, ``log:0.01:0.3:5``, ``1,2,4``, ``x``). Parameters left out keep their default.
        sampler: how combinations are chosen.
        objective: what to compare by; may be chosen later.
        metrics: names read from the kernel after the last cell where they are numbers; where neither
            these nor an objective are given, variables that are named as metrics are.
        target: where runs execute.
        slots: how many runs at once at most; None lets cores and memory decide.
        name: shown to people; empty means notebook name and time.
        experiment: MLflow experiment; empty means the notebook's folder and name, such as ``flights/train``.
        cell_timeout: seconds one cell may take, None for no limit.
        run_timeout: seconds one run may take, None for no limit.
        max_output: bytes of output one run may keep, None for the setting's default.
        shared_prefix: whether the cells before the first one that depends on a varied parameter run once
            a slot instead of once a run; see :class:`PrefixCheck` for which these are.
    """

    path: str
    space: dict[str, str] = {}
    sampler: Sampler = Sampler()
    objective: Objective | None = None
    metrics: list[str] = []
    target: str = "local"
    slots: int | None = None
    name: str = ""
    experiment: str = ""
    cell_timeout: float | None = None
    run_timeout: float | None = None
    max_output: int | None = None
    shared_prefix: bool = False


class SweepChange(Record, frozen=True, kw_only=True):
    """What a person may change of a sweep; None leaves a field as it is."""

    name: str | None = None
    archived: bool | None = None
    slots: int | None = None
    objective: Objective | None = None


class FieldCheck(Record, frozen=True, kw_only=True):
    """What became of one field of a space.

    Attributes:
        count: how many values it stands for; 0 where it is wrong.
        preview: the first values as text, for a tooltip.
        error: one sentence, empty where all is well.
    """

    count: int = 0
    preview: str = ""
    error: str = ""


class SpaceRequest(Record, frozen=True, kw_only=True):
    """A space to be checked while it is typed."""

    path: str
    space: dict[str, str] = {}
    sampler: Sampler = Sampler()


class PrefixCheck(Record, frozen=True, kw_only=True):
    """Which cells at a notebook's beginning give the same whatever the varied parameters are.

    Attributes:
        end: index of the first cell that every run executes itself; 0 where none can be shared.
        cells: first line of each code cell before it, to show a person.
        reason: one sentence on why sharing ends there.
    """

    end: int = 0
    cells: list[str] = []
    reason: str = ""


class SpaceCheck(Record, frozen=True, kw_only=True):
    """How many runs a space makes, and what is wrong with it.

    Attributes:
        total: runs the sweep would make.
        combinations: combinations in the whole space, before sampling.
        fields: by parameter name.
        error: what is wrong with the whole (too many runs, no combination), empty where nothing is.
        prefix: the cells that could be shared.
    """

    total: int
    combinations: int
    fields: dict[str, FieldCheck] = {}
    error: str = ""
    prefix: PrefixCheck = PrefixCheck()


class NotebookInfo(Record, frozen=True, kw_only=True):
    """What is known of one notebook before anything runs.

    Attributes:
        path: relative to the server's root.
        hash: sha256 over its cell sources alone, so that outputs and metadata do not change it.
        kernel: kernelspec name the notebook asks for.
        kernel_problem: why that kernel cannot be used, empty where it can.
        language: of the kernel, lower case.
        cells: how many code cells it has.
        parameters: declared in the cell tagged ``parameters``.
        parameters_cell: index of that cell, None where no cell is tagged.
        problem: one sentence on why no parameters are known, empty where they are.
        open_names: whether names that are not declared are accepted (languages that cannot be read).
        metrics: metric names seen in earlier sweeps of this notebook, newest first, then variables of the
            notebook that look like metrics.
        run_seconds: how long a run of it took in its last sweep, None where it was never swept.
        draft: the form as it was last left or started.
        saved: the form that the notebook's own metadata carries.
    """

    path: str
    hash: str
    kernel: str
    kernel_problem: str = ""
    language: str = ""
    cells: int = 0
    parameters: list[Parameter] = []
    parameters_cell: int | None = None
    problem: str = ""
    open_names: bool = False
    metrics: list[str] = []
    run_seconds: float | None = None
    draft: SweepRequest | None = None
    saved: SweepRequest | None = None


class RunError(Record, frozen=True, kw_only=True):
    """Why a run failed.

    Attributes:
        name: exception class, or ``Timeout``, ``KernelDied``, ``WorkerLost``, ``Exit``, ``Internal``.
        message: one clear sentence.
        cell: index of the failing cell in the executed notebook, None where no cell is to blame.
        traceback: text without terminal colours, at most 20 kB.
    """

    name: str
    message: str
    cell: int | None = None
    traceback: str = ""


class Timing(Record, frozen=True, kw_only=True):
    """Where an attempt's time went, in seconds.

    Attributes:
        queue: from being planned, or from being put back, to a worker's beginning.
        start: until the kernel was ready.
        cells: until the last cell was done.
        finish: until metrics were read, the kernel was gone and the result was written.
    """

    queue: float = 0.0
    start: float = 0.0
    cells: float = 0.0
    finish: float = 0.0


class SecretRef(Record, frozen=True, kw_only=True):
    """Where a secret is found when a step starts; exactly one field is given. It never holds the secret.

    Attributes:
        env: name of an environment variable of the process that executes the step.
        keyring: ``service/user`` in the keyring of the account that executes it.
        file: path of a file whose text it is, without the newline at its end.
    """

    env: str = ""
    keyring: str = ""
    file: str = ""


class InputFile(Record, frozen=True, kw_only=True):
    """A file that a run read; ``sha256`` is empty where it was gone or too large to read twice."""

    path: str
    sha256: str = ""
    size: int = 0


class RunExtras(Record, frozen=True, kw_only=True):
    """What the runs of a pipeline's step have beside those of a person's sweep.

    Attributes:
        outputs: names of variables that are handed on.
        files: files below MLOPS_RUN_DIR that are handed on, by name.
        inputs: patterns of files, relative to the notebook's folder, that are recorded beside those seen to be opened.
        env: added to the kernel's environment.
        secrets: added to the kernel's environment once their values have been found, and hidden in whatever is kept.
        cpus: threads of one run's libraries, None for what the target gives; memory: bytes it may take.
        repeat_lost: whether a run whose worker was lost is repeated.
        project: folder made for the version, see :class:`~.pipelines.Version`; live: the person's own that it shows.
    """

    outputs: list[str] = []
    files: dict[str, str] = {}
    inputs: list[str] = []
    env: dict[str, str] = {}
    secrets: dict[str, SecretRef] = {}
    cpus: int | None = None
    memory: int | None = None
    repeat_lost: bool = True
    project: str = ""
    live: str = ""


class Run(Record, frozen=True, kw_only=True):
    """One execution of one notebook with one set of parameter values.

    Attributes:
        id: unique over all sweeps; ends with the run's number in its sweep, from 1, as people see it.
        index: position in the sweep, from 0.
        attempt: which execution this is, from 1; it grows when a worker was lost or a person repeats.
        cell, cells: code cells finished, code cells in all.
        worker: the Dask worker's name or address.
        queued_at, started_at, ended_at: ISO times; None while not reached.
        peak_memory: bytes the kernel's process group held at most.
        cpu_seconds: CPU time of the kernel's process group.
        timing: where the attempt's time went, None until it is over.
        kernel_start: how its kernel was made; empty while that is not known.
        kernel_reason: why the kernel was not made in a faster way, empty where it was.
        warnings: sentences on what a person should know (output cut, a file written by two runs).
        outputs: what a pipeline's step hands on, by name.
        inputs: files it read, where that was recorded.
        code: sha256 by path of the files below the notebook's project that it imported.
        mlflow_run_id: child run, None until tracking has made it.
        tracked: whether MLflow holds everything of the present attempt.
        message: one line on what it waits for or why it ended.
        revision: of its last change.
    """

    id: str
    sweep_id: str
    index: int
    state: RunState = RunState.QUEUED
    parameters: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    error: RunError | None = None
    attempt: int = 1
    cell: int = 0
    cells: int = 0
    worker: str = ""
    queued_at: str = ""
    started_at: str | None = None
    ended_at: str | None = None
    peak_memory: int | None = None
    cpu_seconds: float | None = None
    timing: Timing | None = None
    kernel_start: KernelStart = ""
    kernel_reason: str = ""
    warnings: list[str] = []
    outputs: dict[str, Any] = {}
    inputs: list[InputFile] = []
    code: dict[str, str] = {}
    mlflow_run_id: str | None = None
    tracked: bool = False
    stop_requested: bool = False
    message: str = ""
    revision: int = 0


class Sweep(Record, frozen=True, kw_only=True):
    """A search space, a sampler, an objective and a frozen notebook.

    Attributes:
        path: the notebook: absolute in the store, relative to the server's root on the wire.
        notebook_hash: see :class:`NotebookInfo`.
        total: runs it makes in all.
        planned: runs handed to the table so far.
        counts: runs by state; states without runs are left out.
        varied: names of the parameters that have more than one value.
        best_run_id: by the objective among succeeded runs.
        slots: the person's limit; ``slots_open``: what is in use now by cores, memory and that limit.
        confirmed: whether the slots are open: the first run alone was well, or a person resumed.
        run_seconds: how long a run that succeeded takes on average, None until one has.
        run_memory: bytes that the most demanding run took so far.
        occupies: bytes on disk, as last measured.
        prefix: index of the first cell that every run executes itself; those before run once a slot. 0: all run.
        shared_cells: how many code cells these are.
        fixed: parameter values of all runs, beside the space.
        folder: working directory of its runs; empty means the notebook's.
        extras: of a pipeline's step.
        pipeline_run, step: whose step it is; empty where a person started it.
        service: name of the service that may take it up; empty means any.
        mlflow_parent: MLflow run below which its own parent run stands.
        stop_requested, pause_requested: intents the service has yet to act on.
        message: one line on how it stands, or why it paused or failed.
        git_commit: of the notebook's folder, with ``+`` behind it where the work tree was dirty.
    """

    id: str
    name: str
    path: str
    notebook_hash: str
    state: SweepState = SweepState.QUEUED
    kernel: str = ""
    language: str = ""
    space: dict[str, str] = {}
    varied: list[str] = []
    sampler: Sampler = Sampler()
    objective: Objective | None = None
    metrics: list[str] = []
    target: str = "local"
    slots: int | None = None
    slots_open: int = 0
    confirmed: bool = False
    experiment: str = ""
    cell_timeout: float | None = None
    run_timeout: float | None = None
    max_output: int = 100_000_000
    prefix: int = 0
    shared_cells: int = 0
    fixed: dict[str, Any] = {}
    folder: str = ""
    extras: RunExtras | None = None
    pipeline_run: str = ""
    step: str = ""
    service: str = ""
    mlflow_parent: str = ""
    total: int = 0
    planned: int = 0
    counts: dict[str, int] = {}
    best_run_id: str | None = None
    best_value: float | None = None
    created_at: str = ""
    started_at: str | None = None
    ended_at: str | None = None
    archived: bool = False
    deleted_at: str | None = None
    stop_requested: bool = False
    pause_requested: bool = False
    run_seconds: float | None = None
    run_memory: int | None = None
    occupies: int = 0
    git_commit: str = ""
    mlflow_experiment_id: str | None = None
    mlflow_run_id: str | None = None
    message: str = ""
    revision: int = 0


class RunsPage(Record, frozen=True, kw_only=True):
    """Runs of one sweep that changed after a revision."""

    runs: list[Run]
    revision: int


class TargetInfo(Record, frozen=True, kw_only=True):
    """A named place that lends slots.

    Attributes:
        state: ``off`` cannot be used (``message`` says why), ``idle`` is started on first use.
        slots: how many runs at once it can take; 0 while not known.
        busy: slots in use.
    """

    name: str
    kind: Literal["local", "cuda", "scheduler"]
    state: Literal["off", "idle", "starting", "ready", "failed"]
    slots: int = 0
    busy: int = 0
    message: str = ""


class ServiceInfo(Record, frozen=True, kw_only=True):
    """The background process that runs sweeps.

    Attributes:
        state: ``off`` means that it starts with the next sweep.
        doing: one line.
        mlflow: ``off``, ``starting``, ``ready`` or ``failed``; ``mlflow_message`` says why.
    """

    state: Literal["off", "starting", "ready"]
    pid: int | None = None
    host: str = ""
    started_at: str | None = None
    doing: str = ""
    mlflow: Literal["off", "starting", "ready", "failed"] = "off"
    mlflow_message: str = ""
    targets: list[TargetInfo] = []


class Status(Record, frozen=True, kw_only=True):
    """How everything stands.

    Attributes:
        confirm_runs: starting more runs than this is worth a question first.
        warnings: sentences on what a person should mend, such as where the store lies.
    """

    version: str
    service: ServiceInfo
    targets: list[TargetInfo]
    store_path: str
    store_bytes: int
    confirm_runs: int = 100
    warnings: list[str] = []


class ServiceKeep(Record, frozen=True, kw_only=True):
    """Whether the service outlives the login, and who sees to that.

    Attributes:
        installed: whether a systemd user unit starts it.
        possible: whether one can be installed here; ``message`` says why not, or what is still to be done by a person.
        unit: path of the unit's file.
    """

    installed: bool
    possible: bool
    unit: str = ""
    message: str = ""


class ServiceLog(Record, frozen=True, kw_only=True):
    """The end of the service's log."""

    text: str


class ErrorBody(Record, frozen=True, kw_only=True):
    """What every refused request answers."""

    message: str
    fields: dict[str, str] = {}


class RunSpec(Record, frozen=True, kw_only=True):
    """Everything a worker needs to execute one attempt. It never holds a secret.

    Attributes:
        notebook: path of the frozen notebook file.
        folder: working directory, the folder the notebook came from.
        directory: of the run: ``files/`` is MLOPS_RUN_DIR, ``<attempt>/`` holds output.ipynb and result.json.
        env: added to the kernel's environment.
        metrics: names to read from the kernel after the last cell.
        threads: for OMP_NUM_THREADS and its like.
        kernel_start: ``fresh`` makes each kernel a new process, ``auto`` forks warm ones where that is safe.
        prefix: see :class:`Sweep`.
        varied: names of the parameters that differ between the sweep's runs.
        extras: of a pipeline's step.
        epoch: of the lease under which it was handed out.
    """

    run_id: str
    sweep_id: str
    index: int
    attempt: int
    notebook: str
    folder: str
    directory: str
    kernel: str
    parameters: dict[str, Any] = {}
    env: dict[str, str] = {}
    metrics: list[str] = []
    threads: int = 1
    cell_timeout: float | None = None
    run_timeout: float | None = None
    max_output: int = 100_000_000
    kernel_start: Literal["auto", "fresh"] = "auto"
    prefix: int = 0
    varied: list[str] = []
    extras: RunExtras | None = None
    epoch: int = 0


class RunResult(Record, frozen=True, kw_only=True):
    """What a worker says of one finished attempt; also spooled as ``result.json``.

    Attributes:
        metrics: named numbers read from the kernel, and those of MLflow runs the notebook made itself.
        timing, kernel_start, kernel_reason: see :class:`Run`; the time in the queue is not the worker's to know.
        written: files in the notebook's folder that were created or changed while it ran.
        outputs, inputs, code: see :class:`Run`.
    """

    run_id: str
    attempt: int
    state: RunState
    started_at: str
    ended_at: str
    metrics: dict[str, float] = {}
    error: RunError | None = None
    cell: int = 0
    cells: int = 0
    peak_memory: int | None = None
    cpu_seconds: float | None = None
    timing: Timing | None = None
    kernel_start: KernelStart = ""
    kernel_reason: str = ""
    warnings: list[str] = []
    written: list[str] = []
    worker: str = ""
    outputs: dict[str, Any] = {}
    inputs: list[InputFile] = []
    code: dict[str, str] = {}
