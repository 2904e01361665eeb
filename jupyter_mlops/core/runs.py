"""Records of runs, from a worker's task to its result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from .curves import Curve, word_for
from .messages import Message
from .record import Record, no_message
from .states import Reason, RunState

# fresh: a new process; warm: forked after the imports; shared: forked after the sweep's shared cells
KernelStart = Literal["", "fresh", "warm", "shared"]


def not_finite(metrics: Mapping[str, float]) -> dict[str, str]:
    """The metrics that are not finite, as words; see :func:`word_for`."""
    return {name: word for name, value in metrics.items() if (word := word_for(value))}


def not_comparable(metrics: Mapping[str, float]) -> list[Message]:
    """A warning for each metric that is not finite."""
    return [
        Message("The metric '{name}' is {value}: it is kept, and ranks behind every number.", name=name, value=value)
        for name, value in not_finite(metrics).items()
    ]


class RunError(Record, frozen=True, kw_only=True):
    """Why a run failed.

    Attributes:
        name: exception class, or ``Timeout``, ``KernelDied``, ``WorkerLost``, ``Exit``, ``Refused``, ``Internal``.
        message: one sentence.
        cell: index of the failing cell in the executed notebook, None if no cell failed.
        traceback: without terminal colours, at most 20 kB.
    """

    name: str
    message: Message
    cell: int | None = None
    traceback: str = ""


class Timing(Record, frozen=True, kw_only=True):
    """Duration of each phase of an attempt, in seconds.

    Attributes:
        queue: waiting for a worker.
        start: until the kernel was ready.
        cells: until the last cell was finished.
        finish: until the metrics were read, the kernel had ended and the result was written.
    """

    queue: float = 0.0
    start: float = 0.0
    cells: float = 0.0
    finish: float = 0.0


class SecretRef(Record, frozen=True, kw_only=True):
    """Where to find a secret when a step starts, never the secret itself; exactly one field is set.

    Attributes:
        env: name of an environment variable of the process that executes the step.
        keyring: ``service/user`` in the keyring of the account that executes it.
        file: path of a file that contains it; a final newline is ignored.
    """

    env: str = ""
    keyring: str = ""
    file: str = ""


class InputFile(Record, frozen=True, kw_only=True):
    """A file that a run read; ``sha256`` is empty if it was deleted, changed or too large to hash."""

    path: str
    sha256: str = ""
    size: int = 0


class RunExtras(Record, frozen=True, kw_only=True):
    """Additional properties of the runs of a pipeline step.

    Attributes:
        outputs: names of the output variables.
        files: output files below MLOPS_RUN_DIR by name.
        inputs: patterns of files, relative to the notebook's folder, to record in addition to the files it opens.
        env: environment variables for the kernel.
        secrets: environment variables for the kernel; their values are hidden in everything that is stored.
        cpus: threads per library, None for the target's default; memory: limit in bytes.
        repeat_lost: whether to repeat a run whose worker was lost.
        project: folder of the version's files; live: the user's project folder that it replaces.
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


class Outcome(Record, frozen=True, kw_only=True):
    """What an attempt has produced so far, in its run and in a worker's result.

    Attributes:
        metrics: finite numbers by name.
        not_finite: ``NaN``, ``Infinity`` or ``-Infinity`` by name of other metrics, which are shown but never compared.
        cell, cells: number of finished code cells, and of all.
        peak_memory: maximum bytes of the kernel and its child processes.
        cpu_seconds: CPU time of the kernel and its child processes.
        timing: None until the attempt has ended.
        kernel_start: how the kernel was started; empty if not known yet.
        kernel_reason: why it was not started in a faster way, empty if it was.
        warnings: one sentence each, for example about truncated output or a file written by two runs.
        outputs: of a pipeline step, by name.
        inputs: files that it read, if recorded.
        code: sha256 by path of the project's files that it imported.
    """

    metrics: dict[str, float] = {}
    not_finite: dict[str, str] = {}
    error: RunError | None = None
    cell: int = 0
    cells: int = 0
    peak_memory: int | None = None
    cpu_seconds: float | None = None
    timing: Timing | None = None
    kernel_start: KernelStart = ""
    kernel_reason: Message = no_message()
    warnings: list[Message] = []
    outputs: dict[str, Any] = {}
    inputs: list[InputFile] = []
    code: dict[str, str] = {}

    def __post_init__(self) -> None:
        # numbers come from kernels, from MLflow, and from records of earlier versions
        if found := not_finite(self.metrics):
            kept = {name: value for name, value in self.metrics.items() if name not in found}
            msgspec.structs.force_setattr(self, "metrics", kept)
            msgspec.structs.force_setattr(self, "not_finite", {**self.not_finite, **found})


class Run(Outcome, frozen=True, kw_only=True):
    """One execution of one notebook with one set of parameter values.

    Attributes:
        id: unique over all sweeps; ends with the number shown to users, which counts the sweep's runs from 1.
        index: position in the sweep, from 0.
        attempt: number of this execution, from 1; a user's retry or the loss of a worker starts the next.
        worker: name or address of the Dask worker.
        queued_at, started_at, ended_at: ISO times; None if not reached yet.
        mlflow_run_id: its MLflow run, None until that is created.
        tracked: whether MLflow has everything of the present attempt.
        message: one line on why it waits or ended; reason: the part of it that the program acts on.
        revision: of its last change.
    """

    id: str
    sweep_id: str
    index: int
    state: RunState = RunState.QUEUED
    parameters: dict[str, Any] = {}
    attempt: int = 1
    worker: str = ""
    queued_at: str = ""
    started_at: str | None = None
    ended_at: str | None = None
    mlflow_run_id: str | None = None
    tracked: bool = False
    stop_requested: bool = False
    message: Message = no_message()
    reason: Reason = Reason.NONE
    revision: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reason is Reason.NONE:
            msgspec.structs.force_setattr(self, "reason", Reason.of_text(self.message))


class RunSummary(Record, frozen=True, kw_only=True):
    """A row of a table of runs.

    Attributes:
        message: one line on why the run failed, waits or ended, or its first warning; for the rest see :class:`Run`.
    """

    id: str
    sweep_id: str
    index: int
    state: RunState
    parameters: dict[str, Any]
    metrics: dict[str, float]
    not_finite: dict[str, str]
    attempt: int
    cell: int
    cells: int
    worker: str
    started_at: str | None
    ended_at: str | None
    kernel_start: KernelStart
    mlflow_run_id: str | None
    tracked: bool
    stop_requested: bool
    message: Message
    revision: int

    @classmethod
    def of(cls, run: Run) -> RunSummary:
        """The row of a run."""
        message = (run.error and run.error.message) or run.message or next(iter(run.warnings), Message())
        fields = {name: getattr(run, name) for name in cls.__struct_fields__}
        return cls(**fields | {"message": message})


class RunsPage(Record, frozen=True, kw_only=True):
    """Some of the runs of a sweep that changed after a revision, by index.

    Attributes:
        revision: of the store before they were read.
        next: index at which the next page begins, None with the last one.
    """

    runs: list[RunSummary]
    revision: int
    next: int | None = None


class Kernelspec(Record, frozen=True, kw_only=True):
    """How to start a kernel, resolved in the environment that requested the run.

    Attributes:
        argv: command line with that environment's interpreter, which identifies the environment.
        env: environment variables.
        host: machine on which it was resolved.
    """

    argv: list[str]
    env: dict[str, str] = {}
    language: str = ""
    resource_dir: str = ""
    interrupt_mode: str = "signal"
    metadata: dict[str, Any] = {}
    host: str = ""


class RunSpec(Record, frozen=True, kw_only=True):
    """A worker's task: everything it needs to execute one attempt, except for secrets.

    Attributes:
        notebook: path of the frozen notebook.
        folder: working directory, usually the folder of the original notebook.
        directory: of the run; ``files/`` in it is MLOPS_RUN_DIR, ``<attempt>/`` has output.ipynb and result.json.
        env: environment variables for the kernel.
        kernelspec: None uses the worker's own kernelspec of that name.
        metrics: names to read from the kernel after the last cell.
        threads: for OMP_NUM_THREADS and similar variables.
        kernel_start: ``fresh`` starts each kernel as a new process, ``auto`` forks kernels if that is safe.
        prefix: see :class:`Sweep`.
        varied: names of the parameters that differ between the sweep's runs.
        extras: of a pipeline step.
        epoch: of the submitting service's lease.
    """

    run_id: str
    sweep_id: str
    index: int
    attempt: int
    notebook: str
    folder: str
    directory: str
    kernel: str
    kernelspec: Kernelspec | None = None
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


class RunResult(Outcome, frozen=True, kw_only=True):
    """A worker's report on a finished attempt; also stored as ``result.json``.

    Attributes:
        written: files in the notebook's folder that were created or changed while it ran.
        curves: of what it logged elsewhere than to the embedded MLflow.
    """

    run_id: str
    attempt: int
    state: RunState
    started_at: str
    ended_at: str
    written: list[str] = []
    curves: list[Curve] = []
    worker: str = ""
