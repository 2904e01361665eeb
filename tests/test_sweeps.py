"""Whole sweeps: real service, real Dask workers, real kernels, real MLflow."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import Service, write_notebook

from jupyter_mlops.core.records import Objective, Run, SweepRequest
from jupyter_mlops.core.states import RunState, SweepState
from jupyter_mlops.services.launch import service_info
from jupyter_mlops.services.requests import Sweeps


def mlflow_runs(service: Service) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{service.settings.data_path / 'mlflow.sqlite'}")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, max_results=1000))


def children(service: Service) -> list[Any]:
    return [run for run in mlflow_runs(service) if run.data.tags.get("mlops.kind") == "run"]


@pytest.fixture
def start(service: Service, sweeps: Sweeps, kernelspecs: dict[str, Any], tmp_path: Path) -> Any:
    def start(*sources: str, kernel: str = "python3", language: str = "python", **request: Any) -> str:
        path = write_notebook(tmp_path / "work" / "train.ipynb", *sources, kernel=kernel, language=language)
        sweep = sweeps.create(path, SweepRequest(path=str(path), **request), kernelspecs)
        return sweep.id

    return start


def test_a_sweep_reaches_table_and_mlflow(start: Any, service: Service) -> None:
    sweep_id = start(
        "a: int = 1",
        "import mlflow, os\nmlflow.log_metric('logged', a * 10)\nscore = a * 2\n"
        "open(os.environ['MLOPS_RUN_DIR'] + '/model.txt', 'w').write('m')",
        space={"a": "1:4"},
        objective=Objective(metric="score"),
    )
    sweep = service.wait(sweep_id)
    assert sweep.state is SweepState.SUCCEEDED, sweep.message
    runs = service.store.runs(sweep_id)
    assert [run.parameters for run in runs] == [{"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}]
    assert [run.metrics for run in runs] == [{"logged": 10.0 * a, "score": 2.0 * a} for a in (1, 2, 3, 4)]
    assert all(run.tracked and run.cell == run.cells == 3 for run in runs)
    assert sweep.best_run_id == runs[3].id
    assert sweep.best_value == 8.0
    assert sweep.slots_open >= 1
    assert sweep.occupies > 0
    found = sorted(children(service), key=lambda run: run.data.metrics["score"])
    assert [run.data.params for run in found] == [{"a": str(a)} for a in (1, 2, 3, 4)]
    assert [run.data.metrics for run in found] == [run.metrics for run in runs]
    assert {run.info.status for run in found} == {"FINISHED"}
    assert found[0].data.tags["mlflow.parentRunId"] == sweep.mlflow_run_id
    assert found[0].data.tags["mlops.notebook_hash"] == sweep.notebook_hash
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{service.settings.data_path / 'mlflow.sqlite'}")
    assert {item.path for item in client.list_artifacts(found[0].info.run_id)} == {"output.ipynb", "files"}
    assert [item.path for item in client.list_artifacts(sweep.mlflow_run_id)] == ["environments"]


def test_a_killed_service_is_followed_by_one_that_finishes(start: Any, service: Service) -> None:
    sweep_id = start("a = 1", "import time; time.sleep(1.5); score = a", space={"a": "1:6"}, metrics=["score"])
    service.wait(sweep_id, lambda sweep: sweep.counts.get("running", 0) >= 2)
    service.kill()
    time.sleep(1)
    service.start()
    sweep = service.wait(sweep_id)
    assert sweep.state is SweepState.SUCCEEDED, sweep.message
    runs = service.store.runs(sweep_id)
    assert [run.index for run in runs] == list(range(6))
    assert {run.state for run in runs} == {RunState.SUCCEEDED}
    assert [run.metrics["score"] for run in runs] == [1, 2, 3, 4, 5, 6]
    assert sorted(run.data.tags["mlops.run_id"] for run in children(service)) == sorted(run.id for run in runs)
    assert {run.info.status for run in mlflow_runs(service)} == {"FINISHED"}


def test_a_killed_service_and_its_workers_repeat_what_was_lost(start: Any, service: Service) -> None:
    sweep_id = start("a = 1", "import time; time.sleep(3); score = a", space={"a": "1:3"}, metrics=["score"])
    service.wait(sweep_id, lambda sweep: sweep.counts.get("running", 0) >= 1)
    time.sleep(0.5)
    service.kill()
    for process in psutil.process_iter(["cmdline"]):
        if any(str(service.settings.data_path / "targets") in part for part in process.info["cmdline"] or []):
            for child in [*process.children(recursive=True), process]:
                child.kill()
    service.start()
    sweep = service.wait(sweep_id)
    assert sweep.state is SweepState.SUCCEEDED, sweep.message
    runs = service.store.runs(sweep_id)
    assert max(run.attempt for run in runs) == 2
    found = children(service)
    assert sorted(run.data.tags["mlops.run_id"] for run in found) == sorted(run.id for run in runs)
    assert {run.info.status for run in found} == {"FINISHED"}


def test_a_worker_that_dies_costs_an_attempt_and_nothing_else(start: Any, service: Service) -> None:
    sweep_id = start(
        "a = 1",
        "import os, time\nmark = os.environ['MLOPS_RUN_DIR'] + '/tried'\n"
        "if not os.path.exists(mark):\n    open(mark, 'w'); os.kill(os.getppid(), 9); time.sleep(60)\nscore = a",
        space={"a": "1:2"},
        metrics=["score"],
    )
    sweep = service.wait(sweep_id)
    assert sweep.state is SweepState.SUCCEEDED, sweep.message
    assert [run.attempt for run in service.store.runs(sweep_id)] == [2, 2]
    assert len(children(service)) == 2


def test_three_alike_failures_pause_and_say_so(start: Any, service: Service, sweeps: Sweeps) -> None:
    sweep_id = start("a = 1", "raise ValueError('no such column')", space={"a": "1:20"})
    sweep = service.wait(sweep_id, lambda sweep: sweep.state is SweepState.PAUSED)
    assert "no such column" in sweep.message
    assert sweep.counts["failed"] == 3
    sweeps.stop(sweep_id)
    sweep = service.wait(sweep_id)
    assert sweep.state is SweepState.STOPPED
    assert sweep.counts["stopped"] == 17


def test_stop_ends_kernels_within_two_seconds(start: Any, service: Service, sweeps: Sweeps) -> None:
    sweep_id = start("a = 1", "import time; time.sleep(600)", space={"a": "1:3"})
    service.wait(sweep_id, lambda sweep: sweep.counts.get("running", 0) >= 1)
    kernels = _kernels(sweep_id)
    assert kernels
    sweeps.stop(sweep_id)
    _, alive = psutil.wait_procs(kernels, timeout=2)
    assert not alive
    sweep = service.wait(sweep_id)
    assert sweep.state is SweepState.STOPPED
    assert sweep.counts == {"stopped": 3}


def _kernels(sweep_id: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MLOPS_SWEEP_ID") == sweep_id:
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_one_run_stops_and_its_neighbours_go_on(start: Any, service: Service, sweeps: Sweeps) -> None:
    sweep_id = start("a = 1", "import time; time.sleep(600 if a == 2 else 0.1)", space={"a": "1:4"})

    def running() -> list[Run]:
        return [run for run in service.store.runs(sweep_id, states=[RunState.RUNNING]) if run.index == 1]

    service.wait(sweep_id, lambda sweep: bool(running()))
    sweeps.stop_run(running()[0].id)
    sweep = service.wait(sweep_id)
    assert sweep.counts == {"succeeded": 3, "stopped": 1}
    assert sweep.state is SweepState.FAILED
    assert sweep.message == "1 stopped"


def test_retry_repeats_only_what_failed(start: Any, service: Service, sweeps: Sweeps, tmp_path: Path) -> None:
    sweep_id = start("a = 1", "import os\nassert a != 2 or os.path.exists('mended')", space={"a": "1:3"})
    assert service.wait(sweep_id).counts == {"succeeded": 2, "failed": 1}
    (tmp_path / "work" / "mended").touch()
    sweeps.retry(sweep_id)
    sweep = service.wait(sweep_id)
    assert sweep.state is SweepState.SUCCEEDED
    assert [run.attempt for run in service.store.runs(sweep_id)] == [1, 2, 1]
    assert len(children(service)) == 3


def test_later_edits_change_nothing(start: Any, service: Service, tmp_path: Path) -> None:
    sweep_id = start("a = 1", "score = a", space={"a": "1:3"}, metrics=["score"])
    (tmp_path / "work" / "train.ipynb").write_text("not a notebook any more")
    sweep = service.wait(sweep_id)
    assert sweep.state is SweepState.SUCCEEDED, sweep.message


def test_bash_runs_like_any_kernel(start: Any, service: Service) -> None:
    sweep_id = start("n=1", "m=$((n*3))", kernel="bash", language="bash", space={"n": "1:2"}, metrics=["m"])
    assert service.wait(sweep_id).state is SweepState.SUCCEEDED
    assert [run.metrics for run in service.store.runs(sweep_id)] == [{"m": 3.0}, {"m": 6.0}]


def test_files_that_two_runs_write_are_flagged(start: Any, service: Service) -> None:
    sweep_id = start("a = 1", "open('shared.txt', 'w').write(str(a))", space={"a": "1:2"})
    service.wait(sweep_id)
    warnings = [warning for run in service.store.runs(sweep_id) for warning in run.warnings]
    assert any("shared.txt" in warning for warning in warnings)


def test_an_unreachable_scheduler_is_one_sentence(start: Any, service: Service) -> None:
    sweep_id = start("a = 1", "a", space={"a": "1:2"}, target="tcp://127.0.0.1:1")
    sweep = service.wait(sweep_id)
    assert sweep.state is SweepState.FAILED
    assert "No Dask scheduler answers at tcp://127.0.0.1:1" in sweep.message


def test_cuda_without_a_device_says_why(start: Any, service: Service) -> None:
    if os.path.exists("/dev/nvidia0"):
        pytest.skip("an NVIDIA device is here")
    sweep_id = start("a = 1", "a", space={"a": "1:2"}, target="cuda")
    assert "No NVIDIA device" in service.wait(sweep_id).message
    info = service_info(service.store, service.settings)
    assert {target.name: target.state for target in info.targets}["cuda"] == "off"
