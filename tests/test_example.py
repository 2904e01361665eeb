"""The examples: a notebook read as the panel reads it and run as a sweep runs it, and a pipeline as months appear."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import wait_until
from pipeline_helpers import PipelineService

from jupyter_mlops.core.notebook.reading import inspect, read_notebook, suggest_metrics
from jupyter_mlops.core.pipelines.records import PipelineRun, StepRun
from jupyter_mlops.core.pipelines.requests import PipelineChange, ScheduleRequest
from jupyter_mlops.core.runs import RunSpec
from jupyter_mlops.core.states import PipelineRunState, RunState, StepState
from jupyter_mlops.services.pipelines.pipeline_file import check
from jupyter_mlops.worker import run_attempt

FOLDER = Path(__file__).parent.parent / "examples" / "flights"
NOTEBOOK = FOLDER / "train.ipynb"
PIPELINE = FOLDER / "delays.pipeline.yaml"


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


# -- the pipeline ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_saved_clean_and_import_nothing_of_ours(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert not any("import jupyter_mlops" in cell.source or "mlflow" in cell.source for cell in code)
    info = inspect(read_notebook(path.read_bytes()), str(path))
    assert info.problem == ""
    assert all(parameter.help for parameter in info.parameters)


def test_its_pipeline_has_five_steps_one_after_the_other() -> None:
    found = check(PIPELINE, PIPELINE.read_text())
    assert found.problems == []
    assert [(step.name, step.layer, step.sweep) for step in found.graph] == [
        ("collect", 0, False),
        ("prepare", 1, False),
        ("train", 2, True),
        ("evaluate", 3, False),
        ("gate", 4, False),
    ]


def publish(folder: Path, *months: int) -> None:
    subprocess.run([sys.executable, folder / "publish.py", *map(str, months)], check=True, capture_output=True)


def states(steps: dict[str, StepRun]) -> dict[str, str]:
    return {name: step.state.value for name, step in steps.items()}


def about(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "data" / "in-use" / "about.json").read_text())
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_model_is_learned_and_put_in_use_as_months_appear(piped: PipelineService) -> None:
    folder = piped.folder
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("data", ".*"), dirs_exist_ok=True)
    publish(folder, 1, 2)
    pipeline = piped.promote(path=str(folder / PIPELINE.name))
    request = ScheduleRequest(kind="files", pattern="data/incoming/*.csv")
    trigger = piped.pipelines.add_trigger(pipeline, request).trigger
    wait_until(lambda: piped.store.triggers.state(trigger.id))
    assert piped.store.pipeline_runs.find(pipeline) == [], "what lies there already is not new"

    publish(folder, 3)
    fired: PipelineRun = wait_until(lambda: next(iter(piped.store.pipeline_runs.find(pipeline)), None))
    run, steps = piped.wait(fired.id), piped.steps(fired.id)
    assert (run.cause, run.trigger_id) == ("files", trigger.id)
    assert run.parameters["trigger_files"] == [str(folder / "data/incoming/2013-03.csv")]
    assert run.state is PipelineRunState.SUCCEEDED, (run, steps)
    assert set(states(steps).values()) == {"succeeded"}
    assert steps["collect"].outputs["months"] == ["2013-01", "2013-02", "2013-03"]
    assert len(piped.store.runs.of_sweep(steps["train"].sweeps[-1])) == 4
    assert steps["evaluate"].outputs["auc"] > 0.7
    assert about(folder)["judged by"] == "2013-03"

    # by hand from here on, which is quicker than two looks
    piped.pipelines.change(pipeline, PipelineChange(paused=True))
    publish(folder)
    _, steps = piped.run(pipeline)
    assert set(states(steps).values()) == {"succeeded"}, "another month is learned from"
    assert steps["prepare"].outputs["held_out"] == about(folder)["judged by"] == "2013-04"

    _, steps = piped.run(pipeline)
    learned = ("prepare", "train", "evaluate")
    assert all(steps[name].state is StepState.REUSED for name in learned), "nothing has come"
    assert [steps[name].state for name in ("collect", "gate")] == [StepState.SUCCEEDED] * 2
    history = (folder / "data" / "in-use" / "history.csv").read_text().split()
    assert [line.split(",")[1] for line in history] == ["month", "2013-03", "2013-04", "2013-04"]
    assert len(piped.store.pipeline_runs.find(pipeline)) == 3, "a file fires once"


def test_a_bad_file_stays_where_it_came_and_says_why(piped: PipelineService) -> None:
    folder = piped.folder
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("data", ".*"), dirs_exist_ok=True)
    incoming = folder / "data" / "incoming"
    incoming.mkdir(parents=True)
    (incoming / "2013-01.csv").write_text("time_hour,carrier\n2013-01-01T10:00:00Z,UA\n")
    run, steps = piped.run(piped.promote(path=str(folder / PIPELINE.name)))
    assert run.state is PipelineRunState.FAILED
    assert "2013-01.csv has no sched_dep_time" in steps["collect"].message
    assert states(steps) == {"collect": "failed", **dict.fromkeys(("prepare", "train", "evaluate", "gate"), "skipped")}
    assert (incoming / "2013-01.csv").exists()
