"""Turns a step's definition into a sweep, and the finished sweep into the step's outcome."""

from __future__ import annotations

import glob
import hashlib
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

import msgspec

from ...compute import Catalog
from ...core.code.paths import normal
from ...core.errors import MlopsError
from ...core.messages import Message
from ...core.notebook import reading as notebooks
from ...core.notebook.declared import is_own_tuple
from ...core.pipelines.definition import PipelineDefinition, Step
from ...core.pipelines.order import references_of
from ...core.pipelines.records import Pipeline, PipelineRun, StepRun, Version
from ...core.pipelines.references import SCHEDULED_TIME, Outputs, resolve, resolve_text
from ...core.record import now
from ...core.runs import InputFile, Run, RunError, RunExtras
from ...core.search.samplers import make_study, planned_total
from ...core.search.space import build_space
from ...core.states import Reason, RunState, StepState, SweepState
from ...core.sweeps import Objective, Sampler, Sweep
from ...core.values import all_wrong, check_values, recorded_defaults
from ...settings import MlopsSettings
from ...store import Store
from ..sweeps.planner import best_run


def notebook_path(folder: str, notebook: str) -> str:
    """Path of a notebook relative to the project, under which its version has it.

    Args:
        folder: of the pipeline file, relative to the project.
        notebook: relative to that folder.
    """
    return normal(str(PurePosixPath(folder) / notebook))


@dataclass(frozen=True)
class Place:
    """What all steps of one run share.

    Attributes:
        service: name of the service that executes the run.
        project: the version's folder.
        live: the user's own project folder.
        import_paths: folders in ``project`` to import from before installed packages.
        asked: by step, the output names that other steps refer to.
    """

    pipeline: Pipeline
    version: Version
    run: PipelineRun
    service: str
    project: Path
    live: Path
    settings: MlopsSettings
    targets: Catalog
    import_paths: tuple[str, ...] = ()
    asked: Mapping[str, list[str]] = field(default_factory=dict)

    def notebook(self, step: Step) -> str:
        """Path of a step's notebook, relative to the project."""
        return notebook_path(self.version.folder, step.notebook)


@dataclass(frozen=True)
class Outcome:
    """How an attempt of a step ended."""

    state: StepState
    message: Message = field(default_factory=Message)
    error: RunError | None = None
    outputs: dict[str, Any] | None = None
    inputs: tuple[InputFile, ...] = ()
    notebook_run: str = ""
    remark: Message = field(default_factory=Message)


def values_of(name: str, step: Step, place: Place, outputs: Outputs) -> dict[str, Any]:
    """The parameters of a step's notebook, with references resolved.

    Raises:
        InvalidInputError: a reference cannot be resolved.
    """
    values: dict[str, Any] = resolve(step.parameters, place.run.parameters, outputs, name)
    return values


def make_sweep(name: str, step: Step, place: Place, *, values: dict[str, Any], outputs: Outputs, data: bytes) -> Sweep:
    """The sweep that executes one attempt of a step; a single run unless the step is a sweep.

    Args:
        name: of the step.
        values: its parameters, resolved.
        outputs: of earlier steps.
        data: its frozen notebook.

    Raises:
        InvalidInputError: the notebook lacks some of these parameters, or the space is invalid.
    """
    notebook = notebooks.read_notebook(data)
    path = place.live / place.notebook(step)
    info = notebooks.inspect(notebook, str(path))
    if any(parameter.name == SCHEDULED_TIME for parameter in info.parameters):
        values = {SCHEDULED_TIME: place.run.parameters[SCHEDULED_TIME], **values}
    values, problems = check_values(info, step.notebook, values)
    if problems:
        raise all_wrong(problems.values())
    space: dict[str, str] = {}
    if step.sweep is not None:
        # a list becomes JSON, as in a space's field
        space = {key: resolve_text(text, place.run.parameters, outputs, name) for key, text in step.sweep.space.items()}
    parameters = {parameter.name: parameter for parameter in info.parameters}
    fixed = {
        key: value
        for key, value in values.items()
        if key not in space and not (key in parameters and is_own_tuple(parameters[key], value))
    }
    sampler = step.sweep.sampler if step.sweep else Sampler()
    built = build_space(space, info, sampler, place.settings.max_runs)
    kernel = place.version.kernels.get(place.notebook(step), info.kernel)
    return Sweep(
        id=uuid4().hex,
        name=f"{place.pipeline.name} · {name}",
        path=str(path),
        notebook_hash=info.hash,
        kernel=kernel,
        kernelspec=place.version.kernelspecs.get(kernel),
        language=info.language,
        space=space,
        fixed=fixed,
        defaults=recorded_defaults(info.parameters, [*fixed, *space]),
        varied=built.varied,
        sampler=sampler,
        objectives=[step.sweep.objective] if step.sweep else [],
        metrics=metric_names(name, step, place, notebooks.suggest_metrics(notebook)),
        target=step.target or place.targets.choose(step.needs, place.version.definition.target),
        slots=step.sweep.slots if step.sweep else None,
        experiment=place.version.definition.experiment or place.pipeline.name,
        cell_timeout=step.cell_timeout,
        run_timeout=step.timeout,
        max_output=place.settings.max_output,
        folder=str((place.project / place.notebook(step)).parent),
        extras=_extras(name, step, place, outputs),
        pipeline_run=place.run.id,
        step=name,
        service=place.service,
        started_by=place.run.started_by,
        mlflow_parent=place.run.mlflow_run_id or "",
        # the MLflow run of a plain step is a direct child of the pipeline's
        mlflow_experiment_id=None if step.sweep else place.run.mlflow_experiment_id,
        mlflow_run_id=None if step.sweep else place.run.mlflow_run_id,
        total=planned_total(make_study(built, sampler), sampler),
        confirmed=step.sweep is None,
        created_at=now(),
        git_commit=place.version.git_commit,
        message=Message("Waiting for its turn"),
    )


def asked_of_steps(definition: PipelineDefinition) -> dict[str, list[str]]:
    """By step, the names of its outputs that other steps refer to."""
    found: dict[str, list[str]] = defaultdict(list)
    for step in definition.steps.values():
        for reference in references_of(step):
            found[reference.step].append(reference.name)
    return found


def metric_names(name: str, step: Step, place: Place, suggested: list[str]) -> list[str]:
    """Variables to read as metrics after the last cell: the objective, what other steps refer to, suggestions."""
    known = {*step.outputs, *step.files, *step.parameters, *(step.sweep.space if step.sweep else ())}
    asked = [other for other in place.asked.get(name, ()) if other not in known]
    objective = [step.sweep.objective.metric] if step.sweep else []
    return list(dict.fromkeys([*objective, *asked, *suggested]))


def _extras(name: str, step: Step, place: Place, outputs: Outputs) -> RunExtras:
    env = {key: resolve_text(text, place.run.parameters, outputs, name) for key, text in step.env.items()}
    if place.import_paths:
        known = env.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
        env["PYTHONPATH"] = os.pathsep.join([*place.import_paths, *filter(None, [known])])
    return RunExtras(
        outputs=step.outputs,
        files=step.files,
        inputs=step.inputs,
        env=env
        | {
            "MLOPS_PIPELINE": place.pipeline.name,
            "MLOPS_PIPELINE_RUN": place.run.id,
            "MLOPS_STEP": name,
            # the same for all attempts: an idempotency key
            "MLOPS_STEP_KEY": f"{place.run.id}-{name}",
            "MLOPS_SCHEDULED_TIME": str(place.run.parameters[SCHEDULED_TIME]),
            "MLOPS_PROJECT": str(place.live),
        },
        secrets=step.secrets,
        cpus=step.cpus,
        memory=step.memory,
        repeat_lost=step.repeat_lost,
        project=str(place.project),
        live=str(place.live),
    )


def outcome_of(store: Store, sweep: Sweep, step: Step) -> Outcome:
    """The outcome of an attempt whose sweep is over."""
    runs = store.runs.of_sweep(sweep.id)
    if sweep.reason is Reason.INTERNAL:
        return Outcome(StepState.FAILED, message=sweep.message, error=_internal(sweep.message))
    return _of_sweep(sweep, runs, step.sweep.objective) if step.sweep else _of_notebook(sweep, runs)


def _of_notebook(sweep: Sweep, runs: list[Run]) -> Outcome:
    if not runs:
        return Outcome(StepState.FAILED, message=sweep.message, error=_internal(sweep.message))
    run = runs[0]
    remark = Message.together(run.warnings, "; ")
    if run.state is RunState.SUCCEEDED:
        return Outcome(
            StepState.SUCCEEDED,
            outputs={**run.metrics, **run.outputs},
            inputs=tuple(run.inputs),
            notebook_run=run.id,
            remark=remark,
        )
    message = run.message or sweep.message
    error = run.error or RunError(name="Stopped", message=message or Message("Stopped"))
    state = StepState.FAILED if run.state is RunState.FAILED else StepState.STOPPED
    return Outcome(state, message=message, error=error, inputs=tuple(run.inputs), notebook_run=run.id, remark=remark)


def _of_sweep(sweep: Sweep, runs: list[Run], objective: Objective) -> Outcome:
    failed = [run for run in runs if run.state is RunState.FAILED]
    best_id, value = best_run(runs, objective)
    if sweep.state is SweepState.STOPPED and not failed:
        return Outcome(StepState.STOPPED, message=sweep.message or Message("Stopped"))
    if best_id is None:
        succeeded = any(run.state is RunState.SUCCEEDED for run in runs)
        message = (
            Message("No run of the sweep has the metric “{metric}” as a finite number.", metric=objective.metric)
            if succeeded
            else sweep.message
        )
        if failed and not succeeded:
            message = Message("No run of the sweep succeeded: {message}", message=failed[0].message)
        first = failed[0] if failed else None
        error = (first and first.error) or RunError(name="Sweep", message=message)
        return Outcome(StepState.FAILED, message=message, error=error, notebook_run=first.id if first else "")
    best = next(run for run in runs if run.id == best_id)
    inputs = {(file.path, file.sha256): file for run in runs for file in run.inputs}
    return Outcome(
        StepState.SUCCEEDED,
        message=Message(
            "Best of {count} runs: {metric} {value:g}", count=len(runs), metric=objective.metric, value=value
        ),
        # parameters win over metrics of the same name: a metric turns 3 into 3.0
        outputs={**best.metrics, **best.parameters, **best.outputs},
        inputs=tuple(inputs.values()),
        notebook_run=best.id,
        remark=Message(
            "{failed} of {count} runs failed: {message}", failed=len(failed), count=len(runs), message=failed[0].message
        )
        if failed
        else Message(),
    )


def _internal(message: Message) -> RunError:
    return RunError(name="Internal", message=message or Message("The step could not be started."))


def refusal(error: MlopsError) -> Outcome:
    """The outcome of a step that could not start."""
    return Outcome(StepState.FAILED, message=error.message, error=RunError(name="Definition", message=error.message))


def fingerprint(step: Step, place: Place, values: dict[str, Any], lock: str) -> str:
    """Hash of notebook, code, frozen data, parameters and environment; :func:`unchanged` compares the inputs."""
    parts = [
        sorted(place.version.files.items()),
        msgspec.to_builtins(step),
        values,
        lock,
    ]
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()


def unchanged(earlier: StepRun, place: Place) -> bool:
    """Whether a step's input files are the same as before, and its output files still exist."""
    step, live = place.version.definition.steps[earlier.step], place.live
    if not _named_now(step, place) <= {os.path.normpath(live / file.path) for file in earlier.inputs}:
        return False
    output_files = [value for value in earlier.outputs.values() if isinstance(value, str) and value.startswith("/")]
    if not all(Path(path).exists() for path in output_files):
        return False
    for file in earlier.inputs:
        path = live / file.path
        try:
            with path.open("rb") as opened:
                if not file.sha256 or hashlib.file_digest(opened, "sha256").hexdigest() != file.sha256:
                    return False
        except OSError:
            return False
    return True


def _named_now(step: Step, place: Place) -> set[str]:
    """Files that match the step's input patterns now."""
    folder = (place.live / place.notebook(step)).parent
    found = (path for pattern in step.inputs for path in glob.iglob(_at(folder, pattern), recursive=True))
    return {os.path.normpath(path) for path in found if os.path.isfile(path)}


def _at(folder: Path, pattern: str) -> str:
    return os.path.join(glob.escape(str(folder)), os.path.expanduser(pattern))
