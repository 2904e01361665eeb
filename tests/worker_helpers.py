"""What the worker's tests share: notebooks written on the spot, and a look at the process table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from jupyter_mlops.core.runs import RunResult, RunSpec
from jupyter_mlops.worker import run_attempt
from jupyter_mlops.worker.processes.groups import process_table


def make_spec(tmp_path: Path, *cells: str, run_id: str = "r1", parameters_cell: str = "", **fields: Any) -> RunSpec:
    """A spec whose frozen notebook holds these cells; its folder is ``tmp_path / "project"``."""
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    if parameters_cell:
        cell = new_code_cell(parameters_cell)
        cell.metadata["tags"] = ["parameters"]
        notebook.cells.insert(0, cell)
    (tmp_path / "project").mkdir(exist_ok=True)
    path = tmp_path / f"{run_id}.ipynb"
    nbformat.write(notebook, path)
    given = {
        "run_id": run_id,
        "sweep_id": "s1",
        "index": 0,
        "attempt": 1,
        "notebook": str(path),
        "folder": str(tmp_path / "project"),
        "directory": str(tmp_path / "data" / run_id),
        "kernel": "python3",
    }
    return RunSpec(**{**given, **fields})


def run(tmp_path: Path, *cells: str, **fields: Any) -> RunResult:
    """Execute such a notebook here."""
    return run_attempt(make_spec(tmp_path, *cells, **fields), lambda event: None)


def output(tmp_path: Path, run_id: str = "r1", attempt: int = 1) -> Any:
    """The executed notebook."""
    path = tmp_path / "data" / run_id / str(attempt) / "output.ipynb"
    nbformat.validate(json.loads(path.read_text()))
    return nbformat.read(path, as_version=4)


def text_of(cell: Any) -> str:
    """All that a cell printed."""
    return "".join(out["text"] for out in cell.outputs if out.output_type == "stream")


def alive(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be reaped."""
    process = process_table().get(pid)
    return process is not None and not process.zombie
