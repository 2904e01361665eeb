"""Whole pipelines: real service, real Dask workers, real kernels, real MLflow."""

from __future__ import annotations

import subprocess

from conftest import kernels_of, wait_until
from pipeline_helpers import PipelineService

from jupyter_mlops.core.pipelines.requests import RetryRequest
from jupyter_mlops.core.states import PipelineRunState, StepState
from jupyter_mlops.core.sweeps import Objective

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
    shown = piped.store.pipelines.get(pipeline)
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


def test_a_promoted_run_lets_all_parameters_be_overridden(piped: PipelineService) -> None:
    notebook = piped.folder / "train.ipynb"
    declared = "depth = 1\nlayers = (64, 32)\nrate = 0.5\nclip = 2.0 ** 3\nscheduled_time = ''\ntoken = 'abc'"
    cell = "auc = depth / 10\nseen = [type(layers).__name__, rate, clip, token, len(scheduled_time) > 0]"
    objective = Objective(metric="auc")
    sweep = piped.service.run_until_over(notebook, declared, cell, space={"depth": "1:2"}, objective=objective)
    promoted = {"depth": 2, "layers": [64, 32], "rate": 0.5}
    for request in ({"sweep_id": sweep.id}, {"path": str(notebook), "name": "of the file"}):
        pipeline = piped.promote(outputs=["seen", "auc"], **request)
        values = promoted if "sweep_id" in request else promoted | {"depth": 1}
        assert piped.pipelines.version(pipeline, 1).definition.parameters == values
        run, steps = piped.run(pipeline)
        assert run.state is PipelineRunState.SUCCEEDED, (run, steps)
        # a tuple stays one where it was not overridden
        assert steps["train"].outputs == {"auc": values["depth"] / 10, "seen": ["tuple", 0.5, 8.0, "abc", True]}
        assert steps["train"].defaults == {"layers": [64, 32], "clip": "2.0 ** 3"}
        assert piped.store.sweeps.get(steps["train"].sweeps[0]).defaults == steps["train"].defaults
        run, steps = piped.run(pipeline, parameters={"rate": 0.1, "layers": [8]})
        assert steps["train"].outputs["seen"] == ["list", 0.1, 8.0, "abc", True], run


def test_retries_follow_the_policy_and_say_so(piped: PipelineService) -> None:
    piped.notebook(
        "flaky.ipynb",
        "folder = ''",
        "import os, pathlib\nmark = pathlib.Path(folder) / 'tries'\n"
        "tries = len(mark.read_text()) if mark.exists() else 0\nmark.write_text('x' * (tries + 1))\n"
        "assert tries >= 2, f'try {tries}'\nkeys = os.environ['MLOPS_STEP_KEY'], os.environ['MLOPS_ATTEMPT_ID']\n"
        "keys = list(keys)",
    )
    pipeline = piped.promote(
        f"""\
steps:
  flaky:
    notebook: flaky.ipynb
    parameters: {{folder: {piped.folder}}}
    outputs: [keys]
    retries: 2
    retry_delay: 0.2
"""
    )
    run, steps = piped.run(pipeline)
    assert run.state is PipelineRunState.SUCCEEDED, (run, steps)
    step = steps["flaky"]
    assert (step.attempt, step.failures, len(step.sweeps)) == (3, 2, 3)
    assert [line.text.split(":")[0] for line in run.log] == ["Attempt 1 failed", "Attempt 2 failed"]
    assert step.outputs["keys"][0] == f"{run.id}-flaky"
    assert step.outputs["keys"][1].startswith(step.sweeps[2][:12])


def test_a_failure_skips_what_needs_it_and_runs_what_is_for_that(piped: PipelineService) -> None:
    piped.notebook("good.ipynb", "a = 1", "b = a")
    piped.notebook("bad.ipynb", "a = 1", "raise ValueError('no rows')")
    pipeline = piped.promote(
        """\
steps:
  bad: {notebook: bad.ipynb}
  next: {notebook: good.ipynb, after: [bad]}
  after-next: {notebook: good.ipynb, after: [next]}
  beside: {notebook: good.ipynb}
  sorry: {notebook: good.ipynb, after: [after-next], run_if: failed}
  fine: {notebook: good.ipynb, after: [beside], run_if: failed}
  always: {notebook: good.ipynb, after: [next], run_if: always}
"""
    )
    run, steps = piped.run(pipeline)
    assert run.state is PipelineRunState.FAILED
    assert run.message == "bad: ValueError: no rows" or "no rows" in run.message
    assert {name: step.state.value for name, step in steps.items()} == {
        "bad": "failed",
        "next": "skipped",
        "after-next": "skipped",
        "beside": "succeeded",
        "sorry": "succeeded",
        "fine": "skipped",
        "always": "succeeded",
    }
    assert steps["bad"].error is not None and steps["bad"].error.name == "ValueError"
    assert "bad" in steps["next"].message


def test_a_failed_run_goes_on_from_the_failed_step(piped: PipelineService) -> None:
    switch = piped.folder / "switch"
    piped.notebook("first.ipynb", "a = 1", "import time\nstamp = time.time()")
    piped.notebook("second.ipynb", "stamp = 0.0\npath = ''", "import os\nassert os.path.exists(path), 'not yet'")
    pipeline = piped.promote(
        f"""\
deadline: 300
steps:
  first: {{notebook: first.ipynb, outputs: [stamp]}}
  second: {{notebook: second.ipynb, parameters: {{stamp: "${{first.stamp}}", path: {switch}}}}}
  third: {{notebook: first.ipynb, after: [second]}}
  always: {{notebook: first.ipynb, after: [second], run_if: always}}
  sorry: {{notebook: first.ipynb, after: [second], run_if: failed}}
"""
    )
    run, steps = piped.run(pipeline)
    assert run.state is PipelineRunState.FAILED
    assert steps["third"].state is StepState.SKIPPED
    assert steps["always"].state is steps["sorry"].state is StepState.SUCCEEDED
    stamp = steps["first"].outputs["stamp"]
    switch.touch()
    # as if it had failed yesterday: neither deadline nor duration count from then
    piped.store.pipeline_runs.change(run.id, started_at="2026-01-01T00:00:00+00:00")
    piped.store.pipeline_runs.change_step(steps["second"].id, started_at="2026-01-01T00:00:00+00:00")
    piped.pipelines.retry(run.id, RetryRequest())
    again = piped.wait(run.id)
    steps = piped.steps(run.id)
    assert again.state is PipelineRunState.SUCCEEDED, steps
    assert again.started_at is not None and again.started_at > (run.ended_at or "")
    assert (steps["second"].started_at or "") > (run.ended_at or "")
    assert steps["first"].outputs["stamp"] == stamp
    assert (steps["first"].attempt, steps["second"].attempt, steps["third"].attempt) == (1, 2, 1)
    assert len(steps["second"].sweeps) == 2
    # what stands behind the failure is repeated also where it ran, and now without a failure
    assert steps["always"].state is StepState.SUCCEEDED and len(steps["always"].sweeps) == 2
    assert steps["sorry"].state is StepState.SKIPPED


def test_a_run_is_stopped_with_its_kernels(piped: PipelineService) -> None:
    piped.notebook("long.ipynb", "a = 1", "import time; time.sleep(120)")
    pipeline = piped.promote("steps:\n  long: {notebook: long.ipynb}\n  next: {notebook: long.ipynb, after: [long]}\n")
    run = piped.start(pipeline)
    sweeps = wait_until(lambda: "long" in piped.steps(run.id) and piped.steps(run.id)["long"].sweeps)
    wait_until(lambda: kernels_of(sweeps[-1]))
    piped.pipelines.stop(run.id)
    run = piped.wait(run.id)
    assert run.state is PipelineRunState.STOPPED
    steps = piped.steps(run.id)
    assert {step.state for step in steps.values()} == {StepState.STOPPED}
    assert not kernels_of(steps["long"].sweeps[-1])


def test_a_deadline_ends_a_run(piped: PipelineService) -> None:
    piped.notebook("long.ipynb", "a = 1", "import time; time.sleep(120)")
    pipeline = piped.promote("deadline: 3\nsteps:\n  long: {notebook: long.ipynb}\n")
    run, _ = piped.run(pipeline)
    assert run.state is PipelineRunState.FAILED
    assert "3 s" in run.message


def test_an_unchanged_step_is_reused_and_says_so(piped: PipelineService) -> None:
    data = piped.folder / "data.txt"
    data.write_text("1")
    piped.notebook("read.ipynb", "a = 1", "import time\nvalue = int(open('data.txt').read()) + a\nstamp = time.time()")
    piped.notebook("use.ipynb", "value = 0", "print(value)")
    pipeline = piped.promote(
        """\
parameters: {a: 1}
steps:
  read: {notebook: read.ipynb, parameters: {a: "${a}"}, outputs: [value, stamp], reuse: true}
  use: {notebook: use.ipynb, parameters: {value: "${read.value}"}}
"""
    )
    _, first = piped.run(pipeline)
    run, second = piped.run(pipeline)
    assert second["read"].state is StepState.REUSED
    assert second["read"].outputs == first["read"].outputs
    assert "run 1" in second["read"].message
    assert second["use"].state is StepState.SUCCEEDED
    assert run.state is PipelineRunState.SUCCEEDED
    assert [file.path for file in first["read"].inputs] == ["data.txt"]
    data.write_text("5")
    _, third = piped.run(pipeline)
    assert third["read"].state is StepState.SUCCEEDED
    assert third["read"].outputs["value"] == 6
    _, fourth = piped.run(pipeline, parameters={"a": 2})
    assert fourth["read"].outputs["value"] == 7


def test_a_file_more_under_a_steps_pattern_is_a_change(piped: PipelineService) -> None:
    folder = piped.folder / "parts"
    folder.mkdir()
    (folder / "1.txt").write_text("1")
    piped.notebook("read.ipynb", "a = 1", "from pathlib import Path\nsaid = len(list(Path('parts').iterdir()))")
    pipeline = piped.promote(
        "steps:\n  read: {notebook: read.ipynb, outputs: [said], inputs: ['parts/*.txt'], reuse: true}\n"
    )
    piped.run(pipeline)
    _, second = piped.run(pipeline)
    assert second["read"].state is StepState.REUSED
    (folder / "2.txt").write_text("2")
    _, third = piped.run(pipeline)
    assert (third["read"].state, third["read"].outputs["said"]) == (StepState.SUCCEEDED, 2)


def test_code_is_frozen_and_inputs_are_live(piped: PipelineService) -> None:
    (piped.folder / "helper.py").write_text("def answer():\n    return 'first'\n")
    (piped.folder / "data.txt").write_text("old")
    (piped.folder / "fixed.txt").write_text("as it was")
    piped.notebook(
        "job.ipynb",
        "a = 1",
        "import helper\nsaid = helper.answer()\nread = open('data.txt').read()\nfixed = open('fixed.txt').read()\n"
        "open('made.txt', 'w').write('new')",
    )
    pipeline = piped.promote(
        "frozen: [fixed.txt]\nsteps:\n  job: {notebook: job.ipynb, outputs: [said, read, fixed]}\n"
    )
    (piped.folder / "helper.py").write_text("def answer():\n    return 'second'\n")
    (piped.folder / "fixed.txt").write_text("changed")
    (piped.folder / "data.txt").write_text("new")
    (piped.folder / "job.ipynb").unlink()
    run, steps = piped.run(pipeline)
    assert run.state is PipelineRunState.SUCCEEDED, steps
    assert steps["job"].outputs == {"said": "first", "read": "new", "fixed": "as it was"}
    assert (piped.folder / "made.txt").read_text() == "new"
    assert "data.txt" in {file.path for file in steps["job"].inputs}


def test_a_notebook_beside_and_a_package_of_the_project_are_frozen_too(piped: PipelineService) -> None:
    package = piped.folder / "src" / "tools"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "maths.py").write_text("def double(x):\n    return 2 * x\n")
    (piped.folder / "data").mkdir()
    (piped.folder / "data" / "x.txt").write_text("21")
    piped.notebook(
        "notebooks/job.ipynb",
        "a = 1",
        "import sys; sys.path.insert(0, '../src')\nfrom tools.maths import double\n"
        "value = double(int(open('../data/x.txt').read()))",
    )
    subprocess.run(["git", "init", "-q"], cwd=piped.folder, check=True)
    pipeline = piped.promote("steps:\n  job: {notebook: ./notebooks/job.ipynb, outputs: [value]}\n")
    (package / "maths.py").write_text("def double(x):\n    return 0\n")
    run, steps = piped.run(pipeline)
    assert run.state is PipelineRunState.SUCCEEDED, steps
    assert steps["job"].outputs["value"] == 42
