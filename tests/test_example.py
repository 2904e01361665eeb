"""The example: read as the panel reads it, and run as a sweep runs it."""

from __future__ import annotations

from pathlib import Path

import nbformat

from jupyter_mlops.core.notebook import inspect, read_notebook, suggest_metrics
from jupyter_mlops.core.records import RunSpec
from jupyter_mlops.core.states import RunState
from jupyter_mlops.worker import run_attempt

FOLDER = Path(__file__).parent.parent / "examples" / "flights"
NOTEBOOK = FOLDER / "train.ipynb"


def test_it_declares_parameters_of_many_kinds() -> None:
    notebook = read_notebook(NOTEBOOK.read_bytes())
    info = inspect(notebook, str(NOTEBOOK))
    assert info.problem == ""
    found = {parameter.name: parameter for parameter in info.parameters}
    assert {name: (parameter.type, parameter.default) for name, parameter in found.items()} == {
        "max_depth": ("int", 6),
        "learning_rate": ("float", 0.1),
        "trees": ("int", 100),
        "min_leaf": ("int", 20),
        "known": ("choice", "traffic"),
        "late_after": ("int", 15),
        "carrier": ("str", None),
        "sample": ("float", 0.2),
        "seed": ("int", 0),
    }
    assert all(parameter.help for parameter in found.values())
    assert found["known"].choices == ["schedule", "weather", "traffic"]
    assert found["carrier"].optional
    assert "fifth of the flights" in found["sample"].help
    assert suggest_metrics(notebook) == ["auc", "logloss", "accuracy"]


def test_it_is_saved_clean_and_needs_nothing_of_ours() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert set(notebook.metadata) == {"kernelspec", "language_info", "mlops"}
    saved = inspect(read_notebook(NOTEBOOK.read_bytes()), "").saved
    assert saved is not None
    assert saved.space == {"max_depth": "3:8", "learning_rate": "log:0.01:0.3:5"}
    sources = "\n".join(cell.source for cell in code)
    assert "mlops" not in sources
    assert "mlflow" not in sources


def test_data_is_loaded_above_the_parameters() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    index = inspect(read_notebook(NOTEBOOK.read_bytes()), "").parameters_cell
    below = "\n".join(cell.source for cell in notebook.cells[index:] if cell.cell_type == "code")
    assert "read_csv" not in below
    assert "import " not in below


def test_a_run_of_it_learns_something(tmp_path: Path) -> None:
    spec = RunSpec(
        run_id="r1",
        sweep_id="s1",
        index=0,
        attempt=1,
        notebook=str(NOTEBOOK),
        folder=str(FOLDER),
        directory=str(tmp_path / "r1"),
        kernel="python3",
        parameters={"sample": 0.05, "max_depth": 3, "known": "weather", "carrier": None},
        metrics=["auc", "logloss", "accuracy", "accuracy_without"],
    )
    result = run_attempt(spec, lambda event: None)
    assert result.state is RunState.SUCCEEDED, result.error
    assert result.warnings == []
    assert result.written == []
    assert 0.55 < result.metrics["auc"] < 1
    assert 0 < result.metrics["logloss"] < 0.7
    assert result.metrics["accuracy"] > result.metrics["accuracy_without"] - 0.02
