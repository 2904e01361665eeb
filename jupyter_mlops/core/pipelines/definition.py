"""Records of a pipeline file."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ..messages import Message
from ..record import FilePath, Name, Record
from ..runs import SecretRef
from ..sweeps import Objective, Sampler
from ..targets import Resources

AlertKind = Literal["failure", "success", "slow", "recovery", "drift"]


class StepSweep(Record, frozen=True, kw_only=True):
    """Makes a step a sweep; its outputs are the parameters, metrics and outputs of its best run.

    Attributes:
        space: as in :class:`~.records.SweepRequest`; fields may contain references.
        objective: determines the best run.
        slots: maximum number of parallel runs; None lets cores and memory decide.
    """

    space: dict[str, str]
    objective: Objective
    sampler: Sampler = Sampler()
    slots: int | None = None
    shared_prefix: bool = False


class Step(Record, frozen=True, kw_only=True):
    """One notebook or sweep of a pipeline.

    A *reference* is ``${NAME}`` for a parameter of the pipeline, or ``${STEP.OUTPUT}`` for an output of an earlier
    step. A text that consists of one reference takes the type of its value.

    Attributes:
        notebook: path relative to the pipeline file's folder.
        sweep: makes it a sweep of that notebook.
        parameters: values for the notebook; texts may contain references.
        after: names of steps to wait for, in addition to those it refers to.
        when: condition on outputs of earlier steps, such as ``evaluate.auc > 0.7``; if it is false, the step is
            skipped.
        run_if: whether it runs if all steps it waits for succeeded, if one of them failed, or always. If one was
            skipped, it is skipped too, unless it runs always.
        outputs: names of output variables (numbers, texts, booleans, paths, lists of these).
        files: output files in ``MLOPS_RUN_DIR`` by name; later steps get their absolute paths.
        inputs: patterns of files that it reads, relative to the notebook's folder; each run records their hashes, and
            those of the files it was seen to open.
        reuse: whether to take an earlier result if notebook, parameters, inputs and environment are the same.
        retries: number of repetitions after a failure.
        retry_delay: seconds, or a time such as ``5m``, before the first repetition; the delay grows by the factor
            ``retry_backoff`` with each further one.
        repeat_lost: whether to repeat it if the process or machine that executed it was lost.
        timeout, cell_timeout: seconds, or a time such as ``2h30m``; None for no limit.
        cpus: threads per library, None for the target's default.
        gpus: CUDA devices per run, 0 or 1; with 1, a step without a target runs on one that has them.
        memory: limit per run in bytes, or a size such as ``4GB`` or ``512MiB``; None for no limit.
        target: name of the target that executes it; empty means the pipeline's.
        env: environment variables for the kernel.
        secrets: environment variables for the kernel, by the place of their value.
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

    @property
    def needs(self) -> Resources:
        """What one of its runs needs."""
        return Resources(cores=self.cpus, memory=self.memory, accelerators=self.gpus or 0)


class Alerts(Record, frozen=True, kw_only=True):
    """Recipients of alerts, and the events that trigger them.

    Attributes:
        to: addresses in apprise's syntax (``mailto://…``, ``slack://…``, ``json://…``), or where to find them.
        on: events. ``recovery`` is the first success after a failure, ``drift`` a changed environment.
        slow: seconds, or a time such as ``1h``, after which a run is slow; None means three times the median of the
            last runs.
    """

    to: list[str | SecretRef] = []
    on: list[AlertKind] = msgspec.field(default_factory=lambda: ["failure", "recovery"])
    slow: float | None = None


class Retention(Record, frozen=True, kw_only=True):
    """Which past runs are kept; None keeps all. Runs that registered models come from are always kept."""

    runs: int | None = None
    days: float | None = None


class PipelineDefinition(Record, frozen=True, kw_only=True):
    """A pipeline as defined in its file.

    Attributes:
        name: display name.
        parameters: defaults, which a run, a trigger or a backfill may override; ``${scheduled_time}`` is always
            available.
        steps: by name, in the order of the file.
        target: of steps without a target.
        concurrency: maximum number of parallel runs; ``deadline``: seconds one run may take, or a time such as ``6h``.
        environment: what to do if installed packages differ from those at promotion.
        frozen: patterns of data files to freeze with the code, relative to the file's folder.
        experiment: MLflow experiment; empty means the pipeline's name.
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
    """An error in a pipeline's text; line and column count from 1, and are 0 if it concerns the text as a whole."""

    message: Message
    line: int = 0
    column: int = 0


class GraphStep(Record, frozen=True, kw_only=True):
    """A node of the graph of steps.

    Attributes:
        outputs: names of its listed output values and files.
        after: all steps it waits for: listed in ``after``, referred to, or used in its condition.
        layer: 0 if it waits for nothing, else one more than the highest layer it waits for.
    """

    name: str
    notebook: str
    sweep: bool = False
    outputs: list[str] = []
    after: list[str] = []
    when: str = ""
    run_if: str = "succeeded"
    layer: int = 0


class PipelineText(Record, frozen=True, kw_only=True):
    """A pipeline's text to check.

    Attributes:
        path: of its file, relative to the server's root.
    """

    path: FilePath
    text: str


class PipelineCheck(Record, frozen=True, kw_only=True):
    """The result of checking a pipeline's text."""

    problems: list[Problem] = []
    definition: PipelineDefinition | None = None
    graph: list[GraphStep] = []


class StepAdd(Record, frozen=True, kw_only=True):
    """A step to add to a pipeline's text."""

    path: FilePath
    text: str
    name: Name
    step: Step


class TextAnswer(Record, frozen=True, kw_only=True):
    """A response that is a text."""

    text: str
