"""Warm runs in real sweeps: on Dask workers, through the store, counted once by MLflow."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest
from conftest import Service, kernels_of, wait_until
from mlflow_helpers import mlflow_runs
from worker_helpers import alive

from jupyter_mlops.core.states import SweepState


def test_a_fork_server_killed_in_mid_sweep_is_replaced(service: Service, notebook: Path) -> None:
    mark = notebook.parent / "go-on"
    cells = (
        "a = 1",
        f"import os, time\nwhile a > 2 and not os.path.exists({str(mark)!r}):\n    time.sleep(0.05)",
        "score = a * 10",
    )
    sweep_id = service.sweep(notebook, *cells, space={"a": "1:6"}, metrics=["score"])
    service.wait(sweep_id, lambda sweep: sweep.counts.get("succeeded", 0) == 2 and sweep.counts.get("running", 0) >= 1)
    kernel = wait_until(lambda: kernels_of(sweep_id))[0]
    hit = [
        run.id
        for run in service.store.runs.of_sweep(sweep_id)
        if f"/{run.id}/" in os.readlink(f"/proc/{kernel.pid}/fd/1")
    ]
    server = psutil.Process(kernel.ppid())
    assert server.cmdline()[1].endswith("server.py")
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not alive(kernel.pid))
    service.wait(sweep_id, lambda _: service.store.runs.get(hit[0]).attempt == 2)
    mark.touch()
    sweep = service.wait(sweep_id)
    assert sweep.state is SweepState.SUCCEEDED, sweep.message
    assert sweep.counts == {"succeeded": 6}
    runs = service.store.runs.of_sweep(sweep_id)
    assert {run.id: run.attempt for run in runs} == {run.id: 2 if run.id in hit else 1 for run in runs}
    assert [run.metrics["score"] for run in runs] == [10, 20, 30, 40, 50, 60]
    assert {(run.kernel_start, run.kernel_reason) for run in runs} == {("warm", "")}
    tracked = mlflow_runs(service, sweep_id)
    assert sorted(run.data.tags["mlops.run_id"] for run in tracked) == sorted(run.id for run in runs)
    assert sorted(run.data.metrics["score"] for run in tracked) == [10, 20, 30, 40, 50, 60]
    assert {run.info.status for run in tracked} == {"FINISHED"}
    assert kernels_of(sweep_id) == []


@pytest.mark.parametrize("shared", [True, False])
def test_shared_cells_in_a_sweep(service: Service, notebook: Path, shared: bool) -> None:
    log = notebook.parent / "log"
    sweep_id = service.sweep(
        notebook,
        "a = 1",
        f"open({str(log)!r}, 'a').write('x')\ndata = [1, 2, 3]\nprint('loaded')",
        "score = a * sum(data)",
        space={"a": "1:6"},
        metrics=["score"],
        shared_prefix=shared,
    )
    sweep = service.wait(sweep_id)
    assert sweep.state is SweepState.SUCCEEDED, sweep.message
    runs = service.store.runs.of_sweep(sweep_id)
    assert [run.metrics["score"] for run in runs] == [6, 12, 18, 24, 30, 36]
    times = len(log.read_text())
    if shared:
        assert {(run.kernel_start, run.kernel_reason) for run in runs} == {("shared", "")}
        assert times <= sweep.slots_open + 1 < 6
    else:
        assert {run.kernel_start for run in runs} == {"warm"}
        assert times == 6
    tags = {run.data.tags.get("mlops.kernel_start") for run in mlflow_runs(service, sweep_id)}
    assert tags == {run.kernel_start for run in runs}
