"""A version's folder, ready to run in."""

from __future__ import annotations

from pathlib import Path

from ...core.pipelines.records import Pipeline, Version
from ..context import Context
from .project import ProjectFolder


def prepared(context: Context, pipeline: Pipeline, version: Version) -> ProjectFolder:
    """The project folder of a version, made or made good.

    Raises:
        MlopsError: it cannot be.
    """
    folder = ProjectFolder(
        context.layout.project(pipeline.id, version.number),
        Path(pipeline.project),
        version.files,
        version.data,
        context.store.blob,
        own=context.layout.data,
    )
    folder.make()
    return folder
