"""A pipeline's file, checked against the notebooks that lie beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...core.errors import MlopsError
from ...core.notebook import reading as notebooks
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
        for name, step in definition.steps.items():
            yield from _look_at(file.parent, name, step)

    return check_text(text, look)


def _look_at(folder: Path, name: str, step: Step) -> Iterator[tuple[Place, str]]:
    path = folder / step.notebook
    if not step.notebook or Path(step.notebook).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
        # said already
        return
    place: Place = ("steps", name, "notebook")
    try:
        notebook = notebooks.read_notebook(read_file(path))
        info = notebooks.inspect(notebook, str(path))
        notebooks.declared(notebook)
    except MlopsError as error:
        yield place, error.message
        return
    for key, problem in notebooks.unknown_parameters(info, step.notebook, step.parameters):
        yield ("steps", name, "parameters", key), problem
    for key, problem in notebooks.unknown_parameters(info, step.notebook, step.sweep.space if step.sweep else ()):
        yield ("steps", name, "sweep", "space", key), problem
