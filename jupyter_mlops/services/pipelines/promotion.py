"""Creates a pipeline's next version from a run, a sweep's best run, a notebook or a pipeline file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...compute import Catalog
from ...core.errors import ConflictError, ForbiddenError, InvalidInputError
from ...core.messages import Message
from ...core.notebook import reading as notebooks
from ...core.pipelines.definition import PipelineDefinition, Step
from ...core.pipelines.problems import problems_of
from ...core.pipelines.records import Version
from ...core.pipelines.references import SCHEDULED_TIME, STEP_NAME
from ...core.pipelines.requests import PromoteRequest
from ...core.record import now
from ...core.search.space import MAX_COUNT
from ...core.states import RunState
from ...core.values import public_defaults
from ...environments import packages
from ...store import Store
from ..base import RequestsBase
from ..user_files import KernelSpecs, kernel_problem, read_file, resolve_kernel
from .delivery import wrong_addresses
from .freeze import collect, project_root
from .pipeline_file import check, wrong_values
from .steps import notebook_path

SUFFIXES = (".pipeline.yaml", ".pipeline.yml")


@dataclass(frozen=True)
class Source:
    """What is promoted.

    Attributes:
        file: of the pipeline, or the notebook.
        contents: bytes of notebooks to use instead of the files, by path relative to the file's folder.
        seen: what a run was seen to import, see :class:`~jupyter_mlops.core.record.Run`.
        said: as the version keeps it.
        project: folder whose code is frozen; None is the file's own project.
        commit: git commit, if the project is no work tree.
        kernel: kernelspec that a run used; empty means each notebook's own.
        home: permanent path of a file that is read from a temporary folder.
    """

    file: Path
    definition: PipelineDefinition
    said: str
    contents: dict[str, bytes] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    project: Path | None = None
    commit: str = ""
    kernel: str = ""
    home: Path | None = None

    @property
    def path(self) -> Path:
        """The pipeline's path."""
        return self.home or self.file


def source_of(requests: RequestsBase, request: PromoteRequest) -> Source:
    """The run, sweep or file that a request names.

    Raises:
        InvalidInputError: it names nothing, several things, or something that cannot be promoted.
        ConflictError: the run did not succeed.
    """
    given = [name for name in ("run_id", "sweep_id", "path") if getattr(request, name)]
    if len(given) != 1:
        raise InvalidInputError(Message("Name what to promote: a run, a sweep or a file, and only one of them."))
    return (
        source_of_file(request, requests.root, requests.settings.max_runs, requests.targets)
        if request.path
        else _from_run(requests, request)
    )


def source_of_file(
    request: PromoteRequest, root: Path, max_runs: int = MAX_COUNT, targets: Catalog | None = None
) -> Source:
    """The file at a request's path, relative to ``root``.

    Args:
        targets: see :func:`~.pipeline_file.check`.

    Raises:
        InvalidInputError: it cannot be promoted.
    """
    file = (root / request.path.lstrip("/")).resolve()
    return _from_text(file, max_runs, targets) if file.name.endswith(SUFFIXES) else _from_notebook(file, request)


def _from_text(file: Path, max_runs: int, targets: Catalog | None) -> Source:
    text = read_file(file, "pipeline file").decode(errors="replace")
    found = check(file, text, max_runs, targets)
    if found.problems or found.definition is None:
        first = found.problems[0]
        place = f"{file.name}, line {first.line}, column {first.column}: " if first.line else f"{file.name}: "
        more = f" (and {len(found.problems) - 1} more)" if len(found.problems) > 1 else ""
        raise InvalidInputError(
            Message("{place}{message}{more}", place=place, message=first.message, more=more),
            {"path": first.message},
        )
    return Source(file, found.definition, "file")


def _from_notebook(file: Path, request: PromoteRequest) -> Source:
    if file.suffix != ".ipynb":
        raise InvalidInputError(
            Message("{name} is neither a notebook nor a pipeline file (*.pipeline.yaml).", name=file.name)
        )
    data = read_file(file, "notebook")
    return Source(file, _job(file, data, {}, request, "local"), "file", {file.name: data})


def _from_run(requests: RequestsBase, request: PromoteRequest) -> Source:
    run_id = request.run_id
    if request.sweep_id:
        sweep = requests.sweep(request.sweep_id)
        if sweep.best_run_id is None:
            raise ConflictError(
                Message("This sweep has no best run yet; choose the metric to compare by, or promote one of its runs.")
            )
        run_id = sweep.best_run_id
    run = requests.run(run_id)
    sweep = requests.sweep(run.sweep_id)
    file = Path(sweep.path)
    if run.state is not RunState.SUCCEEDED:
        raise ConflictError(Message("This run is {state}; only a run that succeeded can be promoted.", state=run.state))
    requests.targets.check(sweep.target)
    data = requests.store.sweeps.notebook(sweep.id)
    definition = _job(file, data, run.parameters, request, sweep.target)
    said = f"sweep {sweep.id}" if request.sweep_id else f"run {run.id}"
    return Source(file, definition, said, {file.name: data}, run.code, kernel=sweep.kernel)


def _job(
    file: Path, notebook: bytes, given: dict[str, Any], request: PromoteRequest, target: str
) -> PipelineDefinition:
    """A pipeline of one step; its parameters are the pipeline's, so that a run may have others.

    Args:
        file: of the notebook.
        notebook: its contents.
        given: values in place of its defaults. A default that is an expression stays the notebook's own.
    """
    info = notebooks.inspect(notebooks.read_notebook(notebook), str(file))
    values = public_defaults(info.parameters) | given
    values.pop(SCHEDULED_TIME, None)
    step = Step(
        notebook=file.name,
        parameters={name: f"${{{name}}}" for name in values},
        outputs=request.outputs,
        retries=request.retries,
        timeout=request.timeout,
    )
    definition = PipelineDefinition(
        name=request.name.strip() or file.stem,
        parameters=values,
        steps={step_name(file.stem): step},
        target=target,
        environment=request.environment,
        alerts=request.alerts,
        retention=request.retention,
    )
    check_policies(definition)
    return definition


def check_policies(definition: PipelineDefinition) -> None:
    """Check all but the values of a notebook's pipeline, which are the notebook's own and were run.

    Raises:
        InvalidInputError: for the first problem, by its field.
    """
    for path, sentence in (*problems_of(definition), *wrong_addresses(definition.alerts)):
        if "parameters" not in path:
            field = path[-1] if isinstance(path[-1], str) else ".".join(map(str, path[:-1]))
            raise InvalidInputError(sentence, {field: sentence})


def step_name(stem: str) -> str:
    """A valid step name made from a notebook's name."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")
    return name if STEP_NAME.fullmatch(name) else f"step-{name}".rstrip("-")[:100]


def freeze(
    store: Store, source: Source, root: Path | None, kernelspecs: KernelSpecs, request: PromoteRequest
) -> tuple[Path, Version]:
    """Freeze the code and environment of a source.

    Returns:
        the project's folder, and the version without number.

    Raises:
        InvalidInputError: a notebook is missing, cannot be run, or lacks a parameter that it is given.
        ForbiddenError: a notebook lies outside the server's root.
    """
    project = source.project or project_root(source.file, root)
    folder = source.file.parent.relative_to(project).as_posix()
    folder = "" if folder == "." else folder
    steps = source.definition.steps
    paths = {name: notebook_path(folder, step.notebook) for name, step in steps.items()}
    contents = {notebook_path(folder, path): data for path, data in source.contents.items()}
    kernels: dict[str, str] = {}
    for name, path in paths.items():
        data = contents.get(path)
        if data is None:
            file = (project / path).resolve()
            if root is not None and not file.is_relative_to(root):
                raise ForbiddenError(
                    Message("The notebook of step “{name}” lies outside the folder that this server serves.", name=name)
                )
            data = read_file(file, f"notebook of step “{name}”")
        kernels[path] = _check_step(name, source.definition, data, kernelspecs, request.kernel or source.kernel)
    resolved = {kernel: resolve_kernel(kernel, kernelspecs) for kernel in set(kernels.values())}
    frozen = collect(
        project,
        dict.fromkeys(paths.values()),
        store.blobs.put,
        seen=source.seen,
        patterns=source.definition.frozen,
        folder=folder,
        contents=contents,
    )
    lock = {
        kernel: store.blobs.put(found[0].encode())
        for kernel, spec in resolved.items()
        if (found := packages(kernel, now(), spec))
    }
    version = Version(
        pipeline_id="",
        number=0,
        definition=source.definition,
        folder=folder,
        files=frozen.files,
        data=frozen.data,
        kernels=kernels,
        kernelspecs=resolved,
        lock=lock,
        git_commit=source.commit or frozen.git_commit,
        git_diff=frozen.git_diff,
        source=source.said,
        note=request.note.strip(),
        warnings=frozen.warnings,
        created_at=now(),
    )
    return project, version


def _check_step(name: str, definition: PipelineDefinition, data: bytes, kernelspecs: KernelSpecs, kernel: str) -> str:
    """Check that a step's notebook can run with its parameters, and return its kernel."""
    step = definition.steps[name]
    notebook = notebooks.read_notebook(data)
    info = notebooks.inspect(notebook, step.notebook)
    kernel = kernel or info.kernel
    problem = kernel_problem(kernel, kernelspecs)
    if problem:
        raise InvalidInputError(Message("Step “{name}”: {problem}", name=name, problem=problem))
    notebooks.declared(notebook)
    if problems := [problem for _, problem in wrong_values(info, step, definition.parameters)]:
        raise InvalidInputError(Message("Step “{name}”: {problems}", name=name, problems=" ".join(problems)))
    return kernel
