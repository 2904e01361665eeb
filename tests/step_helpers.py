"""What the tests of a pipeline's steps share: a version's folder beside the live project, and runs of both kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from warm_helpers import Notebook

from jupyter_mlops.core.runs import RunExtras, RunResult
from jupyter_mlops.core.states import RunState

STARTS = ("auto", "fresh")


class Version:
    """A live project, and the folder made for a version of it: code is copied, all else is linked."""

    def __init__(self, place: Path) -> None:
        self.live = place / "live"
        self.project = place / "project"
        for folder in (self.live, self.live / "data", self.project):
            folder.mkdir()
        (self.project / "data").symlink_to(self.live / "data")

    def extras(self, **fields: Any) -> RunExtras:
        return RunExtras(project=str(self.project), live=str(self.live), **fields)


def step(place: Path, *cells: str, extras: RunExtras | None = None, **fields: Any) -> Notebook:
    """A step's notebook."""
    return Notebook(place, *cells, extras=extras or RunExtras(), **fields)


def went_well(result: RunResult) -> RunResult:
    assert result.state is RunState.SUCCEEDED, result
    return result


def why_failed(result: RunResult, name: str) -> str:
    """The sentence of a run that failed for such a reason."""
    assert result.state is RunState.FAILED, result
    assert result.error is not None and result.error.name == name, result.error
    return result.error.message
