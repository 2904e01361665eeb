"""The port for exporters, which write a pipeline for another program.

They are found by the entry point group ``jupyter_mlops.exporters``; the entry's name is the program's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Protocol

from ...core.pipelines.definition import PipelineDefinition
from ...core.pipelines.records import Trigger
from ...core.plugins import Plugins

EXPORTERS = Plugins("jupyter_mlops.exporters")


@dataclass(frozen=True)
class ExportSource:
    """What is exported.

    Attributes:
        name: of the pipeline.
        origin: the file or version it is made of, to be named at the head of what is written.
        folder: what the notebooks' paths are relative to; itself absolute, or relative to the folder of the exported
            file.
        notebooks: their bytes by path.
        triggers: of the pipeline.
        day: from which on schedules fire.
    """

    definition: PipelineDefinition
    name: str
    origin: str
    folder: Path
    notebooks: Mapping[str, bytes]
    triggers: list[Trigger]
    day: date


@dataclass(frozen=True)
class Export:
    """The text of one file.

    Attributes:
        remarks: one sentence each on what could not be translated.
    """

    text: str
    remarks: list[str] = field(default_factory=list)


class Exporter(Protocol):
    """Writes a pipeline for one program."""

    def __call__(self, source: ExportSource) -> Export:
        """The exported file.

        Raises:
            InvalidInputError: the pipeline cannot be written for this program.
        """
