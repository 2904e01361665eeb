"""A pipeline's file, checked against the notebooks that lie beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from ...core.errors import MlopsError
from ...core.notebook import reading as notebooks
from ...core.parameters import NotebookInfo
from ...core.pipelines.definition import PipelineCheck, PipelineDefinition, Step
from ...core.pipelines.references import Path as Place
from ...core.pipelines.text import check_text
from ..user_files import read_file


def check(file: Path, text: str) -> PipelineCheck:
    """What a pipeline's text says, and what is wrong with it.

    Args:
        file: where it lies, or would; notebooks are relative to its folder.
    """

    def look(definition: PipelineDefinition) -> Iterator[tuple[Place, str]]:
        inspected = cache(_inspected)
        for name, step in definition.steps.items():
            yield from _look_at(file.parent, name, step, inspected)

    return check_text(text, look)


def _inspected(path: Path) -> NotebookInfo | MlopsError:
    """A notebook's parameters, or why it cannot be run; kept as an answer, as many steps may share one notebook."""
    try:
        notebook = notebooks.read_notebook(read_file(path))
        info = notebooks.inspect(notebook, str(path))
        notebooks.declared(notebook)
    except MlopsError as error:
        return error
    return info


def _look_at(
    folder: Path, name: str, step: Step, inspected: Callable[[Path], NotebookInfo | MlopsError]
) -> Iterator[tuple[Place, str]]:
    path = folder / step.notebook
    if not step.notebook or "\0" in step.notebook or Path(step.notebook).is_absolute():
        # said already
        return
    if not path.resolve().is_relative_to(folder.resolve()):
        return
    info = inspected(path)
    if isinstance(info, MlopsError):
        yield ("steps", name, "notebook"), str(info)
        return
    for key, problem in notebooks.unknown_parameters(info, step.notebook, step.parameters):
        yield ("steps", name, "parameters", key), problem
    for key, problem in notebooks.unknown_parameters(info, step.notebook, step.sweep.space if step.sweep else ()):
        yield ("steps", name, "sweep", "space", key), problem
