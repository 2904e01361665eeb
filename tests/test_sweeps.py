"""Whole sweeps: real service, real Dask workers, real kernels, real MLflow."""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import Service, kernels_of, wait_until
from mlflow.entities import ViewType
from mlflow_helpers import mlflow_client, mlflow_runs

from jupyter_mlops.compute import Catalog
from jupyter_mlops.core.states import RunState, SweepState
from jupyter_mlops.core.sweeps import Objective, SweepChange
from jupyter_mlops.services.process.launch import service_info


def test_a_sweep_reaches_table_and_mlflow(service: Service, notebook: Path) -> None:
    sweep = service.run_until_over(
        notebook,
        "a: int = 1",
        "import mlflow, os\nmlflow.log_metric('logged', a * 10)\nscore = a * 2\n"
        "open(os.environ['MLOPS_RUN_DIR'] + '/model.txt', 'w').write('m')",
        space={"a": "1:4"},
        objective=Objective(metric="score"),
    )
    assert sweep.state is SweepState.SUCCEEDED, sweep.message
    runs = service.store.runs.of_sweep(sweep.id)
    assert [run.parameters for run in runs] == [{"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}]
    assert [run.metrics for run in runs] == [{"logged": 10.0 * a, "score": 2.0 * a} for a in (1, 2, 3, 4)]
    assert all(run.tracked and run.cell == run.cells == 3 for run in runs)
    assert sweep.best_run_id == runs[3].id
    assert sweep.best_value == 8.0
    assert sweep.slots_open >= 1
    assert sweep.occupies > 0
    found = sorted(mlflow_runs(service, sweep.id), key=lambda run: run.data.metrics["score"])
    assert [run.data.params for run in found] == [{"a": str(a)} for a in (1, 2, 3, 4)]
    assert [run.data.metrics for run in found] == [run.metrics for run in runs]
    assert {run.info.status for run in found} == {"FINISHED"}
    assert found[0].data.tags["mlflow.parentRunId"] == sweep.mlflow_run_id
    assert found[0].data.tags["mlops.notebook_hash"] == sweep.notebook_hash
    client = mlflow_client(service)
    assert {item.path for item in client.list_artifacts(found[0].info.run_id)} == {"output.ipynb", "files"}
    assert [item.path for item in client.list_artifacts(sweep.mlflow_run_id)] == ["environments"]


def test_the_first_combination_runs_alone_and_then_all_slots_open(service: Service, notebook: Path) -> None:
    sweep = service.run_until_over(notebook, "a = 1", "import time; time.sleep(1)", space={"a": "1:5"})
    assert sweep.state is SweepState.SUCCEEDED, sweep.message
    assert sweep.confirmed
    assert sweep.slots_open == 2
    assert sweep.run_memory is not None and sweep.run_memory > 10_000_000
    assert sweep.run_seconds is not None and sweep.run_seconds > 1
    first, *others = service.store.runs.of_sweep(sweep.id)
    assert first.ended_at is not None
    assert all(run.started_at is not None and run.started_at > first.ended_at for run in others)
    moments = sorted((run.started_at, run.ended_at) for run in others)
    assert any(later[0] < earlier[1] for earlier, later in itertools.pairwise(moments))


def test_slots_change_while_it_runs(service: Service, notebook: Path) -> None:
    sweep_id = service.sweep(notebook, "a = 1", "import time; time.sleep(0.6)", space={"a": "1:8"}, slots=1)
    service.wait(sweep_id, lambda sweep: sweep.counts.get("succeeded", 0) >= 2)
    assert service.store.sweeps.get(sweep_id).slots_open == 1
    service.sweeps.change(sweep_id, SweepChange(slots=2))
    service.wait(sweep_id, lambda sweep: sweep.slots_open == 2 and sweep.counts.get("running", 0) == 2)
    service.sweeps.change(sweep_id, SweepChange(slots=1))
    service.wait(sweep_id, lambda sweep: sweep.slots_open == 1)
    service.wait(sweep_id, lambda sweep: sweep.counts.get("running", 0) + sweep.counts.get("starting", 0) <= 1)
    assert service.wait(sweep_id).state is SweepState.SUCCEEDED


def test_three_alike_failures_pause_and_say_so(service: Service, notebook: Path) -> None:
    sweep_id = service.sweep(notebook, "a = 1", "raise ValueError('no such column')", space={"a": "1:20"})
    sweep = service.wait(sweep_id, lambda sweep: sweep.state is SweepState.PAUSED)
    assert "no such column" in sweep.message
    assert sweep.counts["failed"] == 3
    service.sweeps.stop(sweep_id)
    sweep = service.wait(sweep_id)
    assert sweep.state is SweepState.STOPPED
    assert sweep.counts["stopped"] == 17


def test_different_failures_do_not_pause(service: Service, notebook: Path) -> None:
    sweep = service.run_until_over(notebook, "a = 1", "raise ValueError(f'no column {a}')", space={"a": "1:4"})
    assert sweep.state is SweepState.FAILED
    assert sweep.message == "4 failed"
    assert not sweep.confirmed
    assert "no column 4" in service.store.runs.of_sweep(sweep.id)[3].message


def test_failures_after_a_success_do_not_pause(service: Service, notebook: Path) -> None:
    sweep = service.run_until_over(notebook, "a = 1", "assert a == 1, 'too large'", space={"a": "1:5"})
    assert (sweep.state, sweep.message) == (SweepState.FAILED, "4 failed")


def test_stop_ends_kernels(service: Service, notebook: Path) -> None:
    sweep_id = service.sweep(notebook, "a = 1", "import time; time.sleep(600)", space={"a": "1:3"})
    service.wait(sweep_id, lambda sweep: sweep.counts.get("running", 0) >= 1)
    kernels = kernels_of(sweep_id)
    assert kernels
    service.sweeps.stop(sweep_id)
    _, alive = psutil.wait_procs(kernels, timeout=180)
    assert not alive
    sweep = service.wait(sweep_id)
    assert sweep.state is SweepState.STOPPED
    assert sweep.counts == {"stopped": 3}


def test_one_run_stops_and_its_neighbours_go_on(service: Service, notebook: Path) -> None:
    sweep_id = service.sweep(notebook, "a = 1", "import time; time.sleep(600 if a == 2 else 0.1)", space={"a": "1:4"})

    def running() -> Any:
        return [run for run in service.store.runs.of_sweep(sweep_id, states=[RunState.RUNNING]) if run.index == 1]

    run = wait_until(running)[0]
    kernels = kernels_of(sweep_id)
    service.sweeps.stop_run(run.id)
    psutil.wait_procs(kernels, timeout=180)
    assert not [kernel for kernel in kernels if kernel.is_running() and kernel in kernels_of(sweep_id)]
    sweep = service.wait(sweep_id)
    assert sweep.counts == {"succeeded": 3, "stopped": 1}
    assert sweep.state is SweepState.FAILED
    assert sweep.message == "1 stopped"


def test_retry_repeats_only_what_failed(service: Service, notebook: Path) -> None:
    sweep = service.run_until_over(
        notebook, "a = 1", "import os\nassert a != 2 or os.path.exists('mended')", space={"a": "1:3"}
    )
    assert sweep.counts == {"succeeded": 2, "failed": 1}
    failed = next(run for run in mlflow_runs(service, sweep.id) if run.info.status == "FAILED")
    assert "AssertionError" in failed.data.tags["mlops.error"]
    (notebook.parent / "mended").touch()
    service.sweeps.retry(sweep.id)
    sweep = service.wait(sweep.id)
    assert sweep.state is SweepState.SUCCEEDED
    assert [run.attempt for run in service.store.runs.of_sweep(sweep.id)] == [1, 2, 1]
    # the failed attempt's child is gone
    found = mlflow_runs(service, sweep.id)
    assert sorted(run.data.tags["mlops.attempt"] for run in found) == ["1", "1", "2"]
    assert {run.info.status for run in found} == {"FINISHED"}


def test_later_edits_change_nothing(service: Service, notebook: Path) -> None:
    sweep_id = service.sweep(notebook, "a = 1", "score = a", space={"a": "1:3"}, metrics=["score"])
    notebook.write_text("not a notebook any more")
    service.wait(sweep_id, lambda sweep: sweep.counts.get("succeeded", 0) >= 1)
    notebook.unlink()
    sweep = service.wait(sweep_id)
    assert sweep.state is SweepState.SUCCEEDED, sweep.message


def test_bash_runs_like_any_kernel(service: Service, notebook: Path) -> None:
    sweep = service.run_until_over(
        notebook, "n=1", "m=$((n*3))", kernel="bash", language="bash", space={"n": "1:2"}, metrics=["m"]
    )
    assert sweep.state is SweepState.SUCCEEDED
    assert [run.metrics for run in service.store.runs.of_sweep(sweep.id)] == [{"m": 3.0}, {"m": 6.0}]


def test_files_that_two_runs_write_are_flagged(service: Service, notebook: Path) -> None:
    sweep = service.run_until_over(notebook, "a = 1", "open('shared.txt', 'w').write(str(a))", space={"a": "1:2"})
    warnings = [warning for run in service.store.runs.of_sweep(sweep.id) for warning in run.warnings]
    assert any("shared.txt" in warning for warning in warnings)


def test_two_sweeps_at_once_share_the_slots(service: Service, tmp_path: Path) -> None:
    cell = "import time; time.sleep(0.5)"
    ids = [service.sweep(tmp_path / name / "n.ipynb", "a = 1", cell, space={"a": "1:4"}) for name in "xy"]
    for sweep_id in ids:
        assert service.wait(sweep_id).state is SweepState.SUCCEEDED
    moments = sorted(
        (run.started_at, run.ended_at) for sweep_id in ids for run in service.store.runs.of_sweep(sweep_id)
    )
    for start, _ in moments:
        assert sum(began <= start < ended for began, ended in moments) <= 2


def test_cuda_without_a_device_says_why(service: Service, notebook: Path) -> None:
    if os.path.exists("/dev/nvidia0"):
        pytest.skip("an NVIDIA device is here")
    assert (
        "No NVIDIA device" in service.run_until_over(notebook, "a = 1", "a", space={"a": "1:2"}, target="cuda").message
    )
    infos = Catalog(service.settings, service.store.targets).infos(
        service_info(service.store, service.settings).targets
    )
    assert {target.name: target.state for target in infos}["cuda"] == "off"


def test_a_worker_that_dies_costs_an_attempt_and_nothing_else(service: Service, notebook: Path) -> None:
    sweep = service.run_until_over(
        notebook,
        "a = 1",
        "import mlflow, os, time\nmark = os.environ['MLOPS_RUN_DIR'] + '/tried'\n"
        "if not os.path.exists(mark):\n"
        "    mlflow.start_run(); mlflow.start_run(nested=True)\n"
        "    open(mark, 'w'); os.kill(int(os.environ['JPY_PARENT_PID']), 9); time.sleep(60)\nscore = a",
        space={"a": "1:2"},
        metrics=["score"],
    )
    assert sweep.state is SweepState.SUCCEEDED, sweep.message
    assert [run.attempt for run in service.store.runs.of_sweep(sweep.id)] == [2, 2]
    assert len(mlflow_runs(service, sweep.id)) == 2
    # each lost attempt's run, and the two that its notebook had started
    rows = mlflow_client(service).search_runs([sweep.mlflow_experiment_id], run_view_type=ViewType.ALL)
    ours = {run.info.run_id for run in rows if run.data.tags.get("mlops.sweep_id") == sweep.id}
    states = Counter(
        (run.info.lifecycle_stage, run.info.status)
        for run in rows
        if run.info.run_id in ours or run.data.tags.get("mlops.owner") in ours
    )
    assert states == {("active", "FINISHED"): 3, ("deleted", "KILLED"): 6}


@pytest.mark.slow
def test_a_worker_that_always_dies_ends_the_run_with_a_sentence(service: Service, notebook: Path) -> None:
    sweep = service.run_until_over(
        notebook,
        "a = 1",
        "import os, time\nif a == 2:\n    os.kill(int(os.environ['JPY_PARENT_PID']), 9); time.sleep(60)",
        space={"a": "1:3"},
    )
    assert sweep.counts == {"succeeded": 2, "failed": 1}
    run = service.store.runs.of_sweep(sweep.id, states=[RunState.FAILED])[0]
    assert run.attempt == 3
    assert run.message == "The worker ended in the middle of the run. It was tried 3 times."


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_killed_service_is_followed_by_one_that_finishes(own_service: Service, notebook: Path) -> None:
    service = own_service
    cell = "import time; time.sleep(1.5); score = a"
    sweep_id = service.sweep(notebook, "a = 1", cell, space={"a": "1:7"}, metrics=["score"])
    service.wait(sweep_id, lambda sweep: sweep.counts.get("running", 0) >= 2)
    service.kill()
    time.sleep(1)
    service.start()
    service.wait(sweep_id, lambda sweep: sweep.counts.get("succeeded", 0) >= 3)
    # its workers lived on, so nothing was repeated
    assert {run.attempt for run in service.store.runs.of_sweep(sweep_id)} == {1}
    # and once more, with all that it had started
    service.wait(sweep_id, lambda sweep: sweep.counts.get("running", 0) >= 1)
    done = {run.id for run in service.store.runs.of_sweep(sweep_id, states=[RunState.SUCCEEDED])}
    service.kill()
    service.kill_workers()
    service.kill_mlflow()
    wait_until(lambda: not kernels_of(sweep_id))
    service.start()
    sweep = service.wait(sweep_id)
    assert sweep.state is SweepState.SUCCEEDED, sweep.message
    runs = service.store.runs.of_sweep(sweep_id)
    assert [run.index for run in runs] == list(range(7))
    assert {run.state for run in runs} == {RunState.SUCCEEDED}
    assert [run.metrics["score"] for run in runs] == [1, 2, 3, 4, 5, 6, 7]
    assert max(run.attempt for run in runs) == 2
    assert {run.attempt for run in runs if run.id in done} == {1}
    found = mlflow_runs(service, sweep_id)
    assert sorted(run.data.tags["mlops.run_id"] for run in found) == sorted(run.id for run in runs)
    assert sorted(run.data.metrics["score"] for run in found) == [1, 2, 3, 4, 5, 6, 7]
    parents = mlflow_runs(service, sweep_id, "sweep")
    assert len(parents) == 1
    assert {run.info.status for run in [*found, *parents]} == {"FINISHED"}
    assert kernels_of(sweep_id) == []
