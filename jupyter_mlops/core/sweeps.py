"""Records of sweeps: what a person asks for, and how a sweep stands."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta
from msgspec.structs import force_setattr

from .record import FilePath, Integer, Name, Names, Record, Seconds, Text
from .runs import Kernelspec, RunExtras, not_finite
from .states import Reason, SweepState

# fields of a space by parameter name
Space = Annotated[dict[Name, Text], Meta(max_length=1_000)]


class Sampler(Record, frozen=True, kw_only=True):
    """How combinations are chosen from a space.

    Attributes:
        kind: ``grid`` takes every combination once, in order; ``random`` draws ``count`` different ones; others are
            installed with packages that add samplers.
        count: how many runs it makes; a grid makes all.
        seed: makes ``random`` repeatable.
    """

    kind: str = "grid"
    count: int | None = None
    seed: int = 0


class Objective(Record, frozen=True, kw_only=True):
    """The metric by which runs are compared."""

    metric: str
    direction: Literal["maximize", "minimize"] = "maximize"


class Compared(Record, frozen=True, kw_only=True):
    """What is compared by metrics. Either field may be given, as in records of earlier versions.

    Attributes:
        objective: the first objective, by which runs are ranked.
        objectives: all of them; a study that learns is told the values of each.
    """

    objective: Objective | None = None
    objectives: Annotated[list[Objective], Meta(max_length=10)] = []

    def __post_init__(self) -> None:
        if self.objective is None and self.objectives:
            force_setattr(self, "objective", self.objectives[0])
        elif self.objective is not None and self.objective not in self.objectives[:1]:
            force_setattr(self, "objectives", [self.objective])


class SweepRequest(Compared, frozen=True, kw_only=True):
    """What a person asks for when starting a sweep; also what is remembered of a notebook's form.

    Attributes:
        path: the notebook, relative to the server's root (absolute on the command line).
        space: what to try, by parameter name, in the text grammar of ``core.space``
            (``3:8``, ``log:0.01:0.3:5``, ``1,2,4``, ``x``). Parameters left out keep their default.
        sampler: how combinations are chosen.
        objective, objectives: what to compare by; may be chosen later.
        metrics: names read from the kernel after the last cell where they are numbers; where neither
            these nor an objective are given, variables that are named as metrics are.
        kernel: name of the kernelspec; empty means the notebook's own.
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
    """What a person may change of a sweep; a field that is not given stays as it is.

    Attributes:
        total: more runs than it has; a sweep that is over goes on.
    """

    name: Name | None = None
    archived: bool | None = None
    slots: Integer | None = None
    total: int | None = None


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

    path: FilePath
    space: Space = {}
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


class Sweep(Compared, frozen=True, kw_only=True):
    """A search space, a sampler, an objective and a frozen notebook.

    Attributes:
        path: the notebook: absolute in the store, relative to the server's root on the wire.
        notebook_hash: see :class:`NotebookInfo`.
        kernelspec: see :class:`RunSpec`.
        total: runs it makes in all.
        planned: runs handed to the table so far.
        counts: runs by state; states without runs are left out.
        varied: names of the parameters that have more than one value.
        best_run_id: by the first objective among succeeded runs.
        slots: the person's limit; ``slots_open``: what is in use now by cores, memory and that limit.
        confirmed: whether the slots are open: the first run alone was well, or a person resumed.
        run_seconds: how long a run that succeeded takes on average, None until one has.
        run_memory: bytes that the most demanding run took so far.
        occupies: bytes on disk, as last measured.
        prefix: index of the first cell that every run executes itself; those before run once a slot. 0: all run.
        shared_cells: how many code cells these are.
        fixed: parameter values of all runs, beside the space.
        defaults: what the notebook gives the other parameters itself: literals, and the source text of expressions.
            They are recorded, not passed to runs. Empty in older records.
        folder: working directory of its runs; empty means the notebook's.
        extras: of a pipeline's step.
        pipeline_run, step: whose step it is; empty where a person started it.
        service: name of the service that may take it up; empty means any.
        started_by: name of the service of the account that started it, or whose schedule did; its notebooks' outputs
            are trusted for that account alone. Empty in older records.
        mlflow_parent: MLflow run below which its own parent run stands.
        stop_requested, pause_requested: intents the service has yet to act on.
        message: one line on how it stands, or why it paused or failed; reason: what of that the program acts on.
        git_commit: of the notebook's folder, with ``+`` behind it where the work tree was dirty.
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
    message: str = ""
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
