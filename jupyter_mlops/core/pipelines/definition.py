"""The frozen records of what a person writes as a pipeline: its definition, its steps, its file.

See :mod:`.records` for how times, durations and sizes are written.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ..record import FilePath, Name, Record
from ..runs import SecretRef
from ..sweeps import Objective, Sampler

AlertKind = Literal["failure", "success", "slow", "recovery", "drift"]


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
        retry_delay: seconds, or a time such as ``5m``, before the first repetition; ``retry_backoff`` times as long
            before each next one.
        repeat_lost: whether it is repeated when the process or machine that executed it was lost in its middle.
        timeout, cell_timeout: seconds, or a time such as ``2h30m``; None for no limit.
        cpus: threads of one run's libraries, None for what the target gives.
        gpus: CUDA devices of one run, 0 or 1; with 1, a step that names no target runs on ``cuda``.
        memory: bytes that one run may take, or a size such as ``4GB`` or ``512MiB``; None for no limit.
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
        slow: seconds, or a time such as ``1h``, after which a run is slow; None means three times the median of the
            last runs.
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
        concurrency: how many runs at once; ``deadline``: seconds one run may take, or a time such as ``6h``.
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

    path: FilePath
    text: str


class PipelineCheck(Record, frozen=True, kw_only=True):
    """What a pipeline's text says, and what is wrong with it."""

    problems: list[Problem] = []
    definition: PipelineDefinition | None = None
    graph: list[GraphStep] = []


class StepAdd(Record, frozen=True, kw_only=True):
    """A step to be written into a pipeline's text."""

    path: FilePath
    text: str
    name: Name
    step: Step


class TextAnswer(Record, frozen=True, kw_only=True):
    """A text."""

    text: str
