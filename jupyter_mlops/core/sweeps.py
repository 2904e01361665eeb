"""Records of sweeps and of requests for them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field
from msgspec.structs import force_setattr

from .messages import Message
from .record import FilePath, Integer, Name, Names, Record, Seconds, Text, no_message
from .runs import Kernelspec, RunExtras, not_finite
from .states import Reason, SweepState

# text of each field by parameter name
Space = Annotated[dict[Name, Text], Meta(max_length=1_000)]


class Sampler(Record, frozen=True, kw_only=True):
    """How combinations are chosen from a space.

    Attributes:
        kind: ``grid`` tries every combination once, in order; ``random`` draws ``count`` different ones; other packages
            may add more.
        count: number of runs; ignored by ``grid``.
        seed: makes ``random`` reproducible.
    """

    kind: str = "grid"
    count: int | None = None
    seed: int = 0


class Objective(Record, frozen=True, kw_only=True):
    """The metric by which runs are compared."""

    metric: str
    direction: Literal["maximize", "minimize"] = "maximize"


class Compared(Record, frozen=True, kw_only=True):
    """Base of records with objectives. Either field may be given, as in records of earlier versions.

    Attributes:
        objective: the first objective, which ranks the runs.
        objectives: all of them; the sampler is told each one's value.
    """

    objective: Objective | None = None
    objectives: Annotated[list[Objective], Meta(max_length=10)] = []

    def __post_init__(self) -> None:
        if self.objective is None and self.objectives:
            force_setattr(self, "objective", self.objectives[0])
        elif self.objective is not None and self.objective not in self.objectives[:1]:
            force_setattr(self, "objectives", [self.objective])


class SweepRequest(Compared, frozen=True, kw_only=True):
    """A request to start a sweep; also the draft of a notebook's form.

    Attributes:
        path: of the notebook, relative to the server's root (absolute on the command line).
        space: the values to try by parameter name, in the grammar of ``core.search.space``
            (``3:8``, ``log:0.01:0.3:5``, ``1,2,4``, ``x``). Other parameters keep their default.
        objective, objectives: may be chosen later.
        metrics: names of variables to read from the kernel after the last cell; if neither these nor an objective are
            given, variables that are named like metrics are read.
        kernel: name of the kernelspec; empty means the notebook's.
        target: name of the target that executes the runs.
        slots: maximum number of parallel runs; None lets cores and memory decide.
        name: display name; empty means notebook name and time.
        experiment: MLflow experiment; empty means the notebook's folder and name, such as ``flights/train``.
        cell_timeout: seconds per cell, None for no limit.
        run_timeout: seconds per run, None for no limit.
        max_output: bytes of output kept per run, None for the setting's default.
        shared_prefix: whether the cells that have the same result in all runs are executed once per slot; see
            :class:`PrefixCheck`.
    """

    path: FilePath
    space: Space = {}
    sampler: Sampler = Sampler()
    metrics: Names = []
    kernel: Name = ""
    target: Name = "local"
    slots: Integer | None = None
    name: Name = ""
    experiment: Name = ""
    cell_timeout: Seconds | None = None
    run_timeout: Seconds | None = None
    max_output: Annotated[int, Meta(le=2**53)] | None = None
    shared_prefix: bool = False


class SweepChange(Compared, frozen=True, kw_only=True):
    """Changes to a sweep; fields that are not given stay unchanged.

    Attributes:
        total: a higher number of runs; a finished sweep continues.
    """

    name: Name | None = None
    archived: bool | None = None
    slots: Integer | None = None
    total: int | None = None


class FieldCheck(Record, frozen=True, kw_only=True):
    """The result of checking one field of a space.

    Attributes:
        count: number of values; 0 for an error.
        preview: the first values as text, for a tooltip.
        error: one sentence, empty if the field is valid.
    """

    count: int = 0
    preview: str = ""
    error: Message = no_message()


class SpaceRequest(Record, frozen=True, kw_only=True):
    """A space to check while it is being edited."""

    path: FilePath
    space: Space = {}
    sampler: Sampler = Sampler()


class PrefixCheck(Record, frozen=True, kw_only=True):
    """The first cells of a notebook, which do not depend on the varied parameters.

    Attributes:
        end: index of the first cell that each run executes itself; 0 if none can be shared.
        cells: first line of each code cell before it.
        reason: one sentence on why sharing ends there.
    """

    end: int = 0
    cells: list[str] = []
    reason: Message = no_message()


class SpaceCheck(Record, frozen=True, kw_only=True):
    """The result of checking a space.

    Attributes:
        total: number of runs.
        combinations: number of combinations before sampling.
        fields: by parameter name.
        error: one sentence on the space as a whole, such as too many runs; empty if it is valid.
        prefix: the cells that could be shared.
    """

    total: int
    combinations: int
    fields: dict[str, FieldCheck] = {}
    error: Message = no_message()
    prefix: PrefixCheck = field(default_factory=PrefixCheck)


class Sweep(Compared, frozen=True, kw_only=True):
    """A search space, a sampler, an objective and a frozen notebook.

    Attributes:
        path: of the notebook; absolute in the store, relative to the server's root on the wire.
        notebook_hash: see :class:`NotebookInfo`.
        kernelspec: see :class:`RunSpec`.
        total: number of runs.
        planned: number of runs created so far.
        counts: number of runs by state, without zeros.
        varied: names of the parameters with more than one value.
        best_run_id: by the first objective among succeeded runs.
        slots: the user's limit; ``slots_open``: the number in use, by cores, memory and that limit.
        confirmed: whether runs may run in parallel, because the first one succeeded or a user resumed the sweep.
        run_seconds: average duration of succeeded runs, None before the first.
        run_memory: highest peak memory of a run so far, in bytes.
        occupies: bytes on disk, as last measured.
        prefix: index of the first cell that each run executes itself; earlier cells are executed once per slot.
        shared_cells: number of code cells before it.
        fixed: parameter values of all runs, besides the space.
        defaults: the notebook's defaults of the other parameters: literals, and the source of expressions. They are
            recorded, not passed to runs. Empty in older records.
        folder: working directory of its runs; empty means the notebook's.
        extras: of a pipeline step.
        pipeline_run, step: the step that it executes; empty if a user started it.
        service: name of the service that may run it; empty means any.
        started_by: name of the service of the account that started or scheduled it; only that account trusts its
            notebooks' outputs. Empty in older records.
        mlflow_parent: MLflow run of which its own is a child.
        stop_requested, pause_requested: requests that the service has not handled yet.
        message: one line on its progress, or on why it paused or failed; reason: the part that the program acts on.
        git_commit: of the notebook's folder, followed by ``+`` if there were uncommitted changes.
    """

    id: str
    name: str
    path: str
    notebook_hash: str
    state: SweepState = SweepState.QUEUED
    kernel: str = ""
    kernelspec: Kernelspec | None = None
    language: str = ""
    space: dict[str, str] = {}
    varied: list[str] = []
    sampler: Sampler = Sampler()
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
    defaults: dict[str, Any] = {}
    folder: str = ""
    extras: RunExtras | None = None
    pipeline_run: str = ""
    step: str = ""
    service: str = ""
    started_by: str = ""
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
    message: Message = no_message()
    reason: Reason = Reason.NONE
    revision: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reason is Reason.NONE:
            force_setattr(self, "reason", Reason.of_text(self.message))
        # an earlier version stored infinity as MLflow writes it, as the best value
        if self.best_value is not None and not_finite({"best": self.best_value}):
            force_setattr(self, "best_value", None)
            force_setattr(self, "best_run_id", None)
