"""Records of runs: what a worker is given, and what it reports."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from .record import Record
from .states import Reason, RunState

# fresh: a new process; warm: forked after the imports; shared: forked after the sweep's shared cells
KernelStart = Literal["", "fresh", "warm", "shared"]


def not_finite(metrics: Mapping[str, float]) -> dict[str, str]:
    """Those of some metrics that are no numbers to compare by, as JSON can hold them: NaN, Infinity or -Infinity.

    MLflow keeps infinity as the largest number there is, so that number counts as infinite too.
    """
    most = sys.float_info.max
    return {
        name: "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        for name, value in metrics.items()
        if not -most < value < most
    }


def not_comparable(metrics: Mapping[str, float]) -> list[str]:
    """A sentence on each of these."""
    found = not_finite(metrics)
    return [
        f"The metric '{name}' is {value}: it is kept, and ranks behind every number." for name, value in found.items()
    ]


class _Measured(Record, frozen=True, kw_only=True):
    """What was measured, with numbers that JSON cannot hold apart from the others.

    Attributes:
        metrics: finite numbers by name.
        not_finite: of the others, ``NaN``, ``Infinity`` or ``-Infinity``. They are shown and never compared.
    """

    metrics: dict[str, float] = {}
    not_finite: dict[str, str] = {}

    def __post_init__(self) -> None:
        # however a number comes here: from a kernel, from MLflow, from a store that an earlier version wrote
        if found := not_finite(self.metrics):
            kept = {name: value for name, value in self.metrics.items() if name not in found}
            msgspec.structs.force_setattr(self, "metrics", kept)
            msgspec.structs.force_setattr(self, "not_finite", {**self.not_finite, **found})


class RunError(Record, frozen=True, kw_only=True):
    """Why a run failed.

    Attributes:
        name: exception class, or ``Timeout``, ``KernelDied``, ``WorkerLost``, ``Exit``, ``Refused``,
            ``Internal``.
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


class Run(_Measured, frozen=True, kw_only=True):
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
        message: one line on what it waits for or why it ended; reason: what of that the program acts on.
        revision: of its last change.
    """

    id: str
    sweep_id: str
    index: int
    state: RunState = RunState.QUEUED
    parameters: dict[str, Any] = {}
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
    reason: Reason = Reason.NONE
    revision: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reason is Reason.NONE:
            msgspec.structs.force_setattr(self, "reason", Reason.of_text(self.message))


class RunsPage(Record, frozen=True, kw_only=True):
    """Runs of one sweep that changed after a revision."""

    runs: list[Run]
    revision: int


class Kernelspec(Record, frozen=True, kw_only=True):
    """How a kernel is started, as the environment that asked for a run resolves it.

    Attributes:
        argv: with the environment's own interpreter and prefix put in; the first word says which environment it is.
        env: variables of the kernelspec.
        metadata: of the kernelspec.
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
    """Everything a worker needs to execute one attempt. It never holds a secret.

    Attributes:
        notebook: path of the frozen notebook file.
        folder: working directory, the folder the notebook came from.
        directory: of the run: ``files/`` is MLOPS_RUN_DIR, ``<attempt>/`` holds output.ipynb and result.json.
        env: added to the kernel's environment.
        kernelspec: what the kernel is started by; None takes the worker's own kernel of that name.
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


class RunResult(_Measured, frozen=True, kw_only=True):
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
