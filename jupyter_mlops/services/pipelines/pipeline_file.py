"""Checks a pipeline file against its notebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from ...compute import Catalog
from ...core.errors import InvalidInputError, MlopsError
from ...core.messages import Message
from ...core.notebook import reading as notebooks
from ...core.parameters import NotebookInfo
from ...core.pipelines.definition import PipelineCheck, PipelineDefinition, Step
from ...core.pipelines.references import SCHEDULED_TIME, resolve, resolve_text
from ...core.pipelines.references import Path as Place
from ...core.pipelines.text import check_text
from ...core.record import now
from ...core.search.samplers import make_study, planned_total
from ...core.search.space import MAX_COUNT, build_space
from ...core.targets import Resources
from ...core.values import check_values
from ..user_files import read_file
from .delivery import wrong_addresses


def check(file: Path, text: str, max_runs: int = MAX_COUNT, targets: Catalog | None = None) -> PipelineCheck:
    """Parse a pipeline's text and report its problems.

    Args:
        file: its path, existing or not; notebooks are relative to its folder.
        max_runs: that a step's sweep may make.
        targets: those that its steps may name; None leaves them to the server that will run it.
    """

    def look(definition: PipelineDefinition) -> Iterator[tuple[Place, Message]]:
        inspected = cache(_inspected)
        for name, step in definition.steps.items():
            for place, problem in _look_at(file.parent, step, inspected, definition.parameters, max_runs):
                yield ("steps", name, *place), problem
        yield from wrong_addresses(definition.alerts)
        if targets is not None:
            yield from wrong_targets(definition, targets)

    return check_text(text, look)


def wrong_targets(definition: PipelineDefinition, targets: Catalog) -> Iterator[tuple[Place, Message]]:
    """Targets that do not exist or lack what a step needs, each with its place."""

    def problem(name: str, needs: Resources | None = None) -> Iterator[MlopsError]:
        try:
            targets.check(name, needs)
        except MlopsError as error:
            yield error

    for error in problem(definition.target):
        yield ("target",), error.message
    for name, step in definition.steps.items():
        for error in problem(step.target, step.needs) if step.target else ():
            yield ("steps", name, next(iter(error.fields), "target")), error.message


def _inspected(path: Path) -> NotebookInfo | MlopsError:
    """A notebook's parameters, or why it cannot be run; returned, not raised, so that it can be cached."""
    try:
        notebook = notebooks.read_notebook(read_file(path))
        info = notebooks.inspect(notebook, str(path))
        notebooks.declared(notebook)
    except MlopsError as error:
        return error
    return info


def _look_at(
    folder: Path,
    step: Step,
    inspected: Callable[[Path], NotebookInfo | MlopsError],
    parameters: Mapping[str, Any],
    max_runs: int,
) -> Iterator[tuple[Place, Message]]:
    path = folder / step.notebook
    if not step.notebook or "\0" in step.notebook or Path(step.notebook).is_absolute():
        # reported elsewhere
        return
    if not path.resolve().is_relative_to(folder.resolve()):
        return
    info = inspected(path)
    if isinstance(info, MlopsError):
        yield ("notebook",), info.message
        return
    yield from wrong_values(info, step, parameters, max_runs)


def wrong_values(
    info: NotebookInfo, step: Step, parameters: Mapping[str, Any], max_runs: int = MAX_COUNT
) -> Iterator[tuple[Place, Message]]:
    """What a notebook does not take of the values that its step gives to it, each with its place in the step.

    A value that refers to an earlier step's output is passed over: it is known only when the step runs.

    Args:
        parameters: of the pipeline.
        max_runs: that its sweep may make.
    """
    known = {SCHEDULED_TIME: now(), **parameters}
    values = _resolved(step.parameters, known, resolve)
    later = step.parameters.keys() - values.keys()
    for name, problem in check_values(info, step.notebook, values, sorted(later))[1].items():
        yield ("parameters", name), problem
    if step.sweep is None:
        return
    sampler = step.sweep.sampler
    space = _resolved(step.sweep.space, known, resolve_text)
    later = step.sweep.space.keys() - space.keys()
    for name, problem in check_values(info, step.notebook, {}, sorted(later))[1].items():
        yield ("sweep", "space", name), problem
    try:
        built = build_space(space, info, sampler, max_runs)
        planned_total(make_study(built, sampler), sampler)
    except InvalidInputError as error:
        for name in error.fields.keys() & space.keys():
            yield ("sweep", "space", name), error.fields[name]
        # a count that is missing is said of the definition
        if not error.fields.keys() & space.keys() and (sampler.kind != "random" or (sampler.count or 0) > 0):
            yield ("sweep", "space" if sampler.kind == "grid" else "sampler"), error.message


def _resolved(values: Mapping[str, Any], known: Mapping[str, Any], how: Callable[..., Any]) -> dict[str, Any]:
    """Those values whose references lead to what is known."""
    found = {}
    for name, value in values.items():
        with suppress(InvalidInputError):
            found[name] = how(value, known, {})
    return found
