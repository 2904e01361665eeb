"""Sweeps that meet what goes wrong: bad notebooks, a full disk, servers that are killed."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Service, kernels_of, processes_with, serving, wait_until, write_notebook
from jupyter_helpers import Jupyter
from mlflow_helpers import mlflow_runs

from jupyter_mlops.core.errors import InvalidInputError, UnavailableError
from jupyter_mlops.core.states import RunState, SweepState
from jupyter_mlops.core.sweeps import SweepRequest
from jupyter_mlops.services.sweeps.requests import Sweeps
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store

BAD = """
import os, sys, time
if a == 2: raise KeyError('no such column')
if a == 3: time.sleep(600)
if a == 4: sys.exit(3)
if a == 5: os.kill(os.getpid(), 9)
if a == 6: print('x' * 500_000)
if a == 7: os._exit(4)
"""


def test_what_notebooks_do_wrong_is_said_in_one_sentence_and_neighbours_go_on(service: Service, notebook: Path) -> None:
    slow = ["if a == 8: time.sleep(2)"] * 6
    sweep = service.run_until_over(
        notebook,
        "a = 1",
        BAD,
        *slow,
        "score = a",
        space={"a": "1:9"},
        metrics=["score"],
        cell_timeout=4,
        run_timeout=8,
        max_output=100_000,
    )
    assert sweep.state is SweepState.FAILED
    assert sweep.message == "6 failed"
    runs = service.store.runs.of_sweep(sweep.id)
    killed = "signal 9 (SIGKILL) in cell 3 of 10; a frequent cause is that memory ran out."
    assert {run.parameters["a"]: run.message for run in runs} == {
        1: "",
        2: "Cell 3 of 10 raised KeyError: 'no such column'",
        3: "Cell 3 of 10 took longer than 4 s and was ended.",
        4: "Cell 3 of 10 exited with 3.",
        5: f"The kernel was ended by {killed}",
        6: "",
        7: "The kernel exited with 4 in cell 3 of 10.",
        8: "The run took longer than 8 s and was ended.",
        9: "",
    }
    assert [run.parameters["a"] for run in runs if run.metrics == {"score": run.parameters["a"]}] == [1, 6, 9]
    assert runs[5].warnings == ["Output beyond 0.1 MB was left out; print less, or raise max_output."]
    assert all(run.error is not None and run.error.cell == 2 for run in runs[1:5])
    assert {run.attempt for run in runs} == {1}
    assert kernels_of(sweep.id) == []
    # each of them has its executed notebook, and MLflow knows how it ended
    assert all(service.sweeps.run_output(run.id).exists() for run in runs)
    states = {run.data.params["a"]: run.info.status for run in mlflow_runs(service, sweep.id)}
    assert states == {str(a): "FINISHED" if a in (1, 6, 9) else "FAILED" for a in range(1, 10)}


def test_a_kernel_that_is_missing_is_said_before_anything_starts(service: Service, notebook: Path) -> None:
    with pytest.raises(InvalidInputError, match="“nowhere” is not installed here; choose one of those that are"):
        service.sweep(notebook, "a = 1", "a", space={"a": "1:2"}, kernel="nowhere")


def test_a_kernel_that_goes_away_after_the_start(
    service: Service, notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    program.chmod(0o700)
    spec = tmp_path / "share" / "kernels" / "only-here"
    spec.mkdir(parents=True)
    argv = [str(program), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    # the first run removes its kernel's program, as if a user had deleted the environment
    cell = f"import pathlib; pathlib.Path({str(program)!r}).unlink(); 1 / 0"
    sweep_id = service.sweep(notebook, "a = 1", cell, space={"a": "1:8"}, kernel="only-here", slots=1)
    sweep = service.wait(sweep_id, lambda sweep: sweep.state is SweepState.PAUSED)
    assert f"The environment of the kernel 'only-here' is gone: there is no {program} any more." in sweep.message
    service.sweeps.stop(sweep_id)
    assert service.wait(sweep_id).state is SweepState.STOPPED


# -- the disk ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_full_disk_holds_a_sweep_up_and_ends_nothing(small_disk: Path, notebook: Path) -> None:
    with serving(MlopsSettings(data_dir=str(small_disk / "data"), local_slots=2)) as service:
        pid = service.pid
        cell = (
            "import os, time\nif a == 2 and not os.path.exists('freed'):\n"
            "    with open(os.environ['MLOPS_RUN_DIR'] + '/big', 'wb', buffering=0) as file:\n"
            "        try:\n            while True: file.write(b'x' * 4096)\n        except OSError: pass\n"
            "    open('full', 'w').close()\n    while not os.path.exists('freed'): time.sleep(0.1)\nscore = a"
        )
        sweep_id = service.sweep(notebook, "a = 1", cell, space={"a": "1:6"}, metrics=["score"])
        wait_until((notebook.parent / "full").exists)
        # neighbours end meanwhile, and cannot say so
        time.sleep(8)
        assert service.pid == pid
        (next(small_disk.glob("data/runs/*/files/big"))).unlink()
        (notebook.parent / "freed").touch()
        sweep = service.wait(sweep_id)
        assert service.pid == pid
        assert sweep.state is SweepState.SUCCEEDED, [run.message for run in service.store.runs.of_sweep(sweep_id)]
        assert [run.metrics["score"] for run in service.store.runs.of_sweep(sweep_id)] == [1, 2, 3, 4, 5, 6]
        wait_until(lambda: not service.store.runs.of_sweep(sweep_id, tracked=False))
        children = mlflow_runs(service, sweep_id)
        assert sorted(run.data.metrics["score"] for run in children) == [1, 2, 3, 4, 5, 6]


def test_a_data_folder_that_takes_nothing(small_disk: Path, notebook: Path, kernelspecs: dict[str, Any]) -> None:
    write_notebook(notebook, "a = 1", "a")
    settings = MlopsSettings(data_dir=str(small_disk / "data"))
    store = Store(settings.store_url)
    with (small_disk / "big").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    with pytest.raises(UnavailableError, match=r"No space left on device.*free disk space"):
        Sweeps(store, settings).create(notebook, SweepRequest(path=str(notebook), space={"a": "1:2"}), kernelspecs)
    store.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    store = Store(settings.store_url)
    with pytest.raises(UnavailableError, match=r"cannot be read or written \(.*\); free disk space, make its folder"):
        store.infos.put("name", 1)
    store.close()


# -- a Jupyter server ----------------------------------------------------------------------------


def test_killing_the_jupyter_server_does_not_end_a_sweep(tmp_path: Path) -> None:
    jupyter = Jupyter(tmp_path)
    settings = MlopsSettings(data_dir=str(jupyter.data))
    service = Service(settings, Store(settings.store_url))
    try:
        write_notebook(jupyter.root / "n.ipynb", "a = 1", "import time; time.sleep(1.5); score = a")
        status, sweep = jupyter.ask(
            "POST", "mlops/sweeps", {"path": "n.ipynb", "space": {"a": "1:4"}, "metrics": ["score"]}
        )
        assert status == 201, sweep
        service.wait(sweep["id"], lambda sweep: sweep.counts.get("running", 0) >= 1)
        jupyter.kill()
        assert service.wait(sweep["id"]).state is SweepState.SUCCEEDED
        runs = service.store.runs.of_sweep(sweep["id"])
        assert [(run.attempt, run.metrics["score"]) for run in runs] == [(1, 1), (1, 2), (1, 3), (1, 4)]
        assert {run.state for run in runs} == {RunState.SUCCEEDED}
    finally:
        if jupyter.process.poll() is None:
            jupyter.kill()
        service.end()
        service.store.close()
    assert processes_with(str(jupyter.data)) == []
