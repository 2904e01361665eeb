"""Whole pipelines: real service, real Dask workers, real kernels, real MLflow."""

from __future__ import annotations

from pipeline_helpers import PipelineService

from jupyter_mlops.core.records import Objective
from jupyter_mlops.core.states import PipelineRunState, StepState

CHAIN = """\
name: chain
parameters:
  start: 3
steps:
  collect:
    notebook: collect.ipynb
    parameters: {start: "${start}"}
    outputs: [numbers]
    files: {table: table.csv}
  train:
    notebook: train.ipynb
    parameters: {numbers: "${collect.numbers}", table: "${collect.table}"}
    sweep:
      space: {power: "1:3"}
      objective: {metric: score}
  report:
    notebook: report.ipynb
    parameters: {power: "${train.power}", score: "${train.score}"}
    when: train.score > 10
    outputs: [said]
  sorry:
    notebook: report.ipynb
    when: train.score < 10
"""


def write_chain(piped: PipelineService) -> None:
    piped.notebook(
        "collect.ipynb",
        "start = 1",
        "import os\nnumbers = [start, start + 1]\n"
        "open(os.environ['MLOPS_RUN_DIR'] + '/table.csv', 'w').write('a,b\\n1,2\\n')",
    )
    piped.notebook(
        "train.ipynb",
        "numbers = [1]\ntable = ''\npower = 1",
        "assert open(table).read().startswith('a,b')\nscore = float(sum(number ** power for number in numbers))",
    )
    piped.notebook("report.ipynb", "power = 0\nscore = 0.0", "said = f'{power} gives {score}'")


def test_values_and_files_go_from_step_to_step(piped: PipelineService) -> None:
    write_chain(piped)
    pipeline = piped.promote(CHAIN)
    run, steps = piped.run(pipeline)
    assert run.state is PipelineRunState.SUCCEEDED, (run, steps)
    assert steps["collect"].outputs["numbers"] == [3, 4]
    assert steps["train"].outputs["power"] == 3
    assert steps["train"].outputs["score"] == 27 + 64
    assert steps["report"].outputs["said"] == "3 gives 91.0"
    assert steps["sorry"].state is StepState.SKIPPED
    assert "train.score < 10" in steps["sorry"].message
    assert run.number == 1 and run.mlflow_run_id
    assert run.steps == {"succeeded": 3, "skipped": 1}
    again, steps = piped.run(pipeline, parameters={"start": 5})
    assert again.number == 2
    assert steps["collect"].outputs["numbers"] == [5, 6]
    shown = piped.store.pipeline(pipeline)
    assert [mark.state for mark in shown.recent] == [PipelineRunState.SUCCEEDED] * 2


def test_a_finished_run_is_promoted_with_its_values(piped: PipelineService) -> None:
    notebook = piped.folder / "train.ipynb"
    sweep = piped.service.run_until_over(
        notebook,
        "depth: int = 1\nname = 'x'",
        "auc = depth / 10",
        space={"depth": "1:3", "name": "hello"},
        objective=Objective(metric="auc"),
    )
    pipeline = piped.promote(sweep_id=sweep.id, outputs=["auc"])
    notebook.unlink()
    run, steps = piped.run(pipeline)
    assert run.state is PipelineRunState.SUCCEEDED, (run, steps)
    assert run.parameters["depth"] == 3 and run.parameters["name"] == "hello"
    assert steps["train"].outputs["auc"] == 0.3
