"""Pipelines of which processes are killed with signal 9 in the middle of a step."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Service, serving, wait_until
from pipeline_helpers import PipelineService

from jupyter_mlops.core.pipelines.records import PipelineRun
from jupyter_mlops.core.states import PipelineRunState, StepState
from jupyter_mlops.services.process.launch import ensure_service
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.tracking import Tracking


@pytest.fixture
def settings(data_dir: Path, request: pytest.FixtureRequest) -> MlopsSettings:
    """With those that a test asks for."""
    return MlopsSettings(data_dir=str(data_dir), service_idle_timeout=60.0, **getattr(request, "param", {}))


# says which attempt it is, and goes on once it may
WAITING = (
    "import os, time\nattempt = os.environ['MLOPS_ATTEMPT_ID']\nopen(folder + '/begun', 'a').write(attempt + '\\n')\n"
    "while not os.path.exists(folder + '/go'): time.sleep(0.05)\nopen(folder + '/done', 'a').write(attempt + '\\n')"
)
PIPELINE = """\
concurrency: 2
parameters: {folder: ''}
steps:
  first: {notebook: wait.ipynb, parameters: {folder: "${folder}"}, outputs: [attempt]}
  second: {notebook: next.ipynb, parameters: {before: "${first.attempt}"}, outputs: [after]}
"""
# beside it, and never to be done again
NEVER_AGAIN = """\
  never: {notebook: wait.ipynb, parameters: {folder: "${folder}/never"}, repeat_lost: false}
  behind: {notebook: next.ipynb, after: [never]}
"""


def begin(piped: PipelineService, more: str = "") -> PipelineRun:
    """A run in the middle of its first step, or steps."""
    piped.notebook("wait.ipynb", "folder = ''", WAITING)
    piped.notebook("next.ipynb", "before = ''", "after = before")
    (piped.folder / "never").mkdir()
    run = piped.start(piped.promote(PIPELINE + more), parameters={"folder": str(piped.folder)})
    wait_until(lambda: lines(piped, "begun") and (not more or lines(piped, "never/begun")), 120)
    return run


def let_go(piped: PipelineService) -> None:
    """Whoever waits may go on."""
    for folder in (piped.folder, piped.folder / "never"):
        (folder / "go").touch()


def check_repetition(piped: PipelineService, run: PipelineRun) -> None:
    """What was lost was done again, but for what must not be."""
    steps = piped.steps(run.id)
    assert {name: step.state.value for name, step in steps.items()} == {
        "first": "succeeded",
        "second": "succeeded",
        "never": "failed",
        "behind": "skipped",
    }, (run, steps)
    assert run.state is PipelineRunState.FAILED
    lost, repeated = lines(piped, "begun")
    assert lost != repeated
    assert lines(piped, "done") == [repeated] == [steps["second"].outputs["after"]]
    assert len(lines(piped, "never/begun")) == 1 and not lines(piped, "never/done")
    assert steps["never"].error is not None and steps["never"].error.name == "WorkerLost"
    assert "not to be repeated" in run.message
    assert not piped.store.sweeps.find(live=True)


def lines(piped: PipelineService, name: str) -> list[str]:
    file = piped.folder / name
    return file.read_text().split() if file.exists() else []


def open_in_mlflow(data: Path) -> list[str]:
    """Names of the runs that an embedded MLflow shows as running."""
    connection = sqlite3.connect(data / "mlflow.sqlite")
    try:
        found = connection.execute("SELECT name FROM runs WHERE status = 'RUNNING' AND lifecycle_stage = 'active'")
        return [name for (name,) in found]
    finally:
        connection.close()


def test_a_step_goes_on_while_its_service_is_killed(own_piped: PipelineService) -> None:
    run = begin(own_piped)
    own_piped.service.kill()
    let_go(own_piped)
    wait_until(lambda: lines(own_piped, "done"))
    ensure_service(own_piped.service.settings)
    run = own_piped.wait(run.id)
    steps = own_piped.steps(run.id)
    assert run.state is PipelineRunState.SUCCEEDED, (run, steps)
    assert lines(own_piped, "begun") == lines(own_piped, "done") == [steps["second"].outputs["after"]]
    assert (steps["first"].attempt, len(steps["first"].sweeps)) == (1, 1)
    assert not run.log
    assert not open_in_mlflow(own_piped.service.settings.data_path)


@pytest.mark.parametrize("settings", [{"local_slots": 2}], indirect=True)
def test_what_was_lost_with_everything_else_is_repeated_and_told(own_piped: PipelineService) -> None:
    run = begin(own_piped, NEVER_AGAIN)
    own_piped.service.kill()
    own_piped.service.kill_workers()
    own_piped.service.kill_mlflow()
    let_go(own_piped)
    ensure_service(own_piped.service.settings)
    run = own_piped.wait(run.id)
    check_repetition(own_piped, run)
    assert [line.step for line in run.log if "was lost" in line.text] == ["first"]
    assert not open_in_mlflow(own_piped.service.settings.data_path)


@pytest.mark.slow
def test_a_service_killed_before_it_wrote_down_an_attempt_leaves_nothing_behind(own_piped: PipelineService) -> None:
    goes_on = begin(own_piped)
    stopped = own_piped.start(goes_on.pipeline_id, parameters={"folder": str(own_piped.folder)})
    runs = (goes_on, stopped)
    wait_until(lambda: all(run.id and own_piped.store.pipeline_runs.get(run.id).steps.get("running") for run in runs))
    own_piped.service.kill()
    own_piped.service.kill_workers()
    for run in runs:
        # as it stands where the service is killed before the attempt's sweep is stored
        step = own_piped.steps(run.id)["first"]
        own_piped.store.sweeps.purge(step.sweeps[-1])
    own_piped.pipelines.stop(stopped.id)
    let_go(own_piped)
    ensure_service(own_piped.service.settings)
    assert own_piped.wait(goes_on.id).state is PipelineRunState.SUCCEEDED
    assert own_piped.wait(stopped.id).state is PipelineRunState.STOPPED
    assert {step.state for step in own_piped.steps(stopped.id).values()} == {StepState.STOPPED}
    assert len(lines(own_piped, "done")) == 1


# -- several services on one store -----------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[PipelineService, Service]]:
    """Two services on one store, each with a data folder of its own; the first has the pipeline."""
    common = {
        "store": f"sqlite:///{tmp_path / 'common.sqlite'}",
        "local_slots": 2,
        "service_idle_timeout": 60.0,
        "service_lost_after": 5.0,
    }
    first = MlopsSettings(data_dir=str(tmp_path / "first"), **common)
    second = MlopsSettings(data_dir=str(tmp_path / "second"), **common)
    with serving(first) as one, serving(second) as other:
        yield PipelineService(one, tmp_path / "project"), other


def test_another_service_takes_over_from_one_that_is_gone_for_good(two: tuple[PipelineService, Service]) -> None:
    piped, other = two
    run = begin(piped, NEVER_AGAIN)
    left_by = piped.store.pipeline_runs.get(run.id)
    piped.service.kill()
    piped.service.kill_workers()
    let_go(piped)
    run = piped.wait(run.id)
    check_repetition(piped, run)
    assert run.service not in ("", left_by.service)
    assert "another one goes on" in run.log[0].text
    assert piped.steps(run.id)["first"].attempt == 2
    assert run.mlflow_run_id not in (None, left_by.mlflow_run_id)
    assert not open_in_mlflow(other.settings.data_path)
    # the first one's own MLflow says that it runs until that service is there again
    assert open_in_mlflow(piped.service.settings.data_path)
    piped.service.start()
    wait_until(lambda: not open_in_mlflow(piped.service.settings.data_path))


# -- MLflow's file ------------------------------------------------------------------------------------


def test_mlflow_s_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    # as a kill in the middle of making it leaves it
    connection = sqlite3.connect(tmp_path / "mlflow.sqlite.new")
    connection.execute("CREATE TABLE experiments (experiment_id INTEGER)")
    connection.close()
    tracking = Tracking(tmp_path)
    number, _ = tracking.begin_pipeline("e", "r", {"mlops.pipeline_run": "p"}, {})
    tracking.close()
    assert number
    assert not (tmp_path / "mlflow.sqlite.new").exists()
