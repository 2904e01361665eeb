"""Attempts that go well, their ends from outside, and the processes they leave behind: none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from conftest import wait_until
from worker_helpers import alive, make_spec, output, run, text_of

from jupyter_mlops.core.lenient import decode
from jupyter_mlops.core.runs import RunResult
from jupyter_mlops.core.states import RunState
from jupyter_mlops.worker import live_attempts, run_attempt, stop_attempt
from jupyter_mlops.worker.attempt_files import last_line
from jupyter_mlops.worker.fork.pool import fork_servers
from jupyter_mlops.worker.processes import groups

GRANDCHILD = (
    "import os, subprocess\n"
    "child = subprocess.Popen(['sleep', '1000'])\n"
    "away = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
    "open('pids', 'w').write(f'{os.getpid()} {child.pid} {away.pid}')"
)


def pids(tmp_path: Path) -> list[int]:
    path = tmp_path / "project" / "pids"
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


def test_descendants_are_found_and_ended_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "_LINUX", False)
    code = (
        "import subprocess; print(subprocess.Popen(['sleep', '1000'], start_new_session=True).pid, flush=True); input()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, start_new_session=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        group = groups.ProcessGroup(parent.pid)
        group.sample()
        assert {process.pid for process in group.members()} == {parent.pid, child}
        assert group.peak_memory > 1e6
        assert group.kill(30)
    assert not alive(child)


def test_the_last_line_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_line(log) == ""
    for text, last in (("", ""), (" \n", ""), ("a\n b \n\n", "b"), ("10%\r20%\rno space left\n", "no space left")):
        log.write_text(text)
        assert last_line(log) == last


def test_a_run_with_parameters_metrics_progress_and_files(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    spec = make_spec(
        tmp_path,
        "import os, time\nprint(rate, os.getcwd())",
        "time.sleep(0.4)",
        "open('written.txt', 'w').write('x')\nopen(os.environ['MLOPS_RUN_DIR'] + '/model.bin', 'w').write('m')",
        "auc = rate * 2",
        parameters_cell="rate = 0.1",
        parameters={"rate": 0.25},
        metrics=["auc", "absent"],
    )
    result = run_attempt(spec, events.append)
    assert result.state == RunState.SUCCEEDED, result
    assert result.error is None
    assert result.metrics == {"auc": 0.5}
    assert (result.cell, result.cells) == (6, 6)
    assert result.written == ["written.txt"]
    assert result.warnings == []
    assert result.peak_memory is not None and 20e6 < result.peak_memory < 500e6
    assert result.cpu_seconds is not None and 0.01 < result.cpu_seconds < 60
    assert (tmp_path / "data/r1/files/model.bin").read_text() == "m"
    spooled = decode(msgspec.json.decode((tmp_path / "data/r1/1/result.json").read_bytes()), RunResult)
    assert spooled == result
    done = output(tmp_path)
    assert done.cells[1].metadata.tags == ["injected-parameters"]
    assert text_of(done.cells[2]) == f"0.25 {tmp_path}/project\n"
    assert {cell.metadata.papermill.status for cell in done.cells} == {"completed"}
    assert events[0]["kind"] == "started"
    # what the last cells did comes with the result
    counts = [event["cell"] for event in events if event["kind"] == "cell"]
    assert counts == sorted(counts) and counts and counts[-1] <= result.cell == 6
    assert all(event["cells"] == 6 and event["run_id"] == "r1" for event in events)
    assert live_attempts() == []


def test_numbers_of_many_kinds_are_metrics(tmp_path: Path) -> None:
    result = run(
        tmp_path,
        "import numpy as np\nsmall = np.float32(0.5); whole = np.int64(4); yes = True; plain = 7\n"
        "zero_d = np.array(2.5); text = '3'; many = [1]; nothing = float('nan'); endless = -float('inf')\n"
        "class Model: score = 0.75\nmodel = Model()\nfloat = globals = type = None",
        metrics=[
            "small",
            "whole",
            "yes",
            "plain",
            "zero_d",
            "text",
            "many",
            "nothing",
            "endless",
            "model.score",
            "absent",
        ],
    )
    assert result.state == RunState.SUCCEEDED, result
    assert result.metrics == {
        "small": 0.5,
        "whole": 4,
        "yes": 1,
        "plain": 7,
        "zero_d": 2.5,
        "model.score": 0.75,
    }
    assert len(result.warnings) == 2
    assert "'nothing' is NaN" in result.warnings[0]
    assert "'endless' is -Infinity" in result.warnings[1]
    assert result.not_finite == {"nothing": "NaN", "endless": "-Infinity"}


def test_bash_runs_with_parameters_and_metrics(tmp_path: Path) -> None:
    result = run(
        tmp_path,
        'echo "$name $rounds"',
        "auc=0.5",
        kernel="bash",
        parameters={"name": "it's $HOME", "rounds": 3},
        metrics=["auc", "absent"],
    )
    assert result.state == RunState.SUCCEEDED, result
    assert result.metrics == {"auc": 0.5}
    done = output(tmp_path)
    # no cell is tagged in it: the values stand at the top
    assert done.cells[0].metadata.tags == ["injected-parameters"]
    assert text_of(done.cells[1]).strip() == "it's $HOME 3"


def test_the_environment_of_a_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    code = (
        "import os, json\nfrom pathlib import Path\n"
        "names = 'OMP_NUM_THREADS MKL_NUM_THREADS CUDA_VISIBLE_DEVICES MLOPS_SWEEP_ID MLOPS_ATTEMPT MY_OWN'.split()\n"
        "adjusted = Path('/proc/self/oom_score_adj')\n"
        "print(json.dumps([*(os.environ.get(n) for n in names), os.nice(0), os.getpgid(0) == os.getpid()]))\n"
        "print(adjusted.read_text() if adjusted.exists() else 700)"
    )
    result = run(tmp_path, code, threads=2, attempt=3, env={"MY_OWN": "yes"})
    assert result.state == RunState.SUCCEEDED, result
    first, second = text_of(output(tmp_path, attempt=3).cells[0]).split("\n")[:2]
    assert json.loads(first) == ["2", "7", "3", "s1", "3", "yes", 10, True]
    assert int(second) == 700


def test_the_run_folder_outlives_attempts(tmp_path: Path) -> None:
    code = (
        "import os\npath = os.environ['MLOPS_RUN_DIR'] + '/log'\nopen(path, 'a').write('x')\nn = os.path.getsize(path)"
    )
    assert run(tmp_path, code, metrics=["n"]).metrics == {"n": 1}
    assert run(tmp_path, code, metrics=["n"], attempt=2).metrics == {"n": 2}


def test_what_atexit_writes_is_kept(tmp_path: Path) -> None:
    result = run(
        tmp_path,
        "import atexit, os, time\n"
        "def last():\n    time.sleep(0.3); open(os.environ['MLOPS_RUN_DIR'] + '/last', 'w').write('x')\n"
        "atexit.register(last)",
    )
    assert result.state == RunState.SUCCEEDED
    assert (tmp_path / "data/r1/files/last").exists()


def test_a_kernel_that_will_not_end_is_ended(tmp_path: Path) -> None:
    result = run(tmp_path, GRANDCHILD, "import atexit, time\natexit.register(time.sleep, 1000)")
    assert result.state == RunState.SUCCEEDED
    assert len(pids(tmp_path)) == 3
    assert not any(alive(pid) for pid in pids(tmp_path))


@pytest.mark.parametrize("code", ["import time; time.sleep(1000)", "while True: pass"])
def test_a_stop_ends_a_run_with_all_processes(tmp_path: Path, code: str) -> None:
    spec = make_spec(tmp_path, GRANDCHILD, code, "never = 1")
    events: list[dict[str, Any]] = []
    with ThreadPoolExecutor() as pool:
        future = pool.submit(run_attempt, spec, events.append)
        wait_until(lambda: (len(pids(tmp_path)) == 3 and events[-1]["cell"] == 1) or future.done())
        assert live_attempts() == [("r1", 1)]
        assert stop_attempt("r1", 1)
        assert not any(alive(pid) for pid in pids(tmp_path))
        result = future.result()
    assert (result.state, result.error) == (RunState.STOPPED, None)
    assert not stop_attempt("r1", 1)
    statuses = [cell.metadata.papermill.status for cell in output(tmp_path).cells]
    assert statuses == ["completed", "failed", "pending"]


def test_a_stop_before_the_kernel_is_ready(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, "open('ran', 'w')")
    with ThreadPoolExecutor() as pool:
        future = pool.submit(run_attempt, spec, lambda event: None)
        wait_until(live_attempts)
        assert stop_attempt("r1", 1)
        assert future.result().state == RunState.STOPPED
    assert not (tmp_path / "project/ran").exists()


def test_two_attempts_at_once_in_one_process(tmp_path: Path) -> None:
    code = "import time, os\nfrom pathlib import Path\nPath(name).touch()\nend = time.time() + 30\n"
    code += "while not Path(other).exists() and time.time() < end: time.sleep(0.05)\nmet = int(Path(other).exists())"
    specs = [
        make_spec(tmp_path, code, run_id=one, parameters={"name": one, "other": two}, metrics=["met"])
        for one, two in (("a", "b"), ("b", "a"))
    ]
    before = set(threading.enumerate())
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda spec: run_attempt(spec, lambda event: None), specs))
    assert [result.metrics for result in results] == [{"met": 1}, {"met": 1}]
    fork_servers.close()
    wait_until(lambda: set(threading.enumerate()) <= before, why=lambda: set(threading.enumerate()) - before)


def test_the_executed_notebook_can_be_read_while_it_runs(tmp_path: Path) -> None:
    spec = make_spec(
        tmp_path,
        "print('first')",
        "import time\nfor i in range(3):\n    print('step', i, flush=True)\n    time.sleep(0.6)\ntime.sleep(1000)",
    )
    path = tmp_path / "data/r1/1/output.ipynb"
    with ThreadPoolExecutor() as pool:
        future = pool.submit(run_attempt, spec, lambda event: None)
        try:
            wait_until(lambda: path.exists() and "step 2\\n" in path.read_text())
            assert text_of(output(tmp_path).cells[0]) == "first\n"
        finally:
            stop_attempt("r1", 1)
        future.result()


def test_a_worker_killed_with_signal_9_leaves_no_kernel(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, GRANDCHILD, "import time; time.sleep(1000)")
    path = tmp_path / "spec.json"
    path.write_bytes(msgspec.json.encode(spec))
    program = (
        "import sys, msgspec, pathlib\n"
        "from jupyter_mlops.core.runs import RunSpec\nfrom jupyter_mlops.worker import run_attempt\n"
        "run_attempt(msgspec.json.decode(pathlib.Path(sys.argv[1]).read_bytes(), type=RunSpec))"
    )
    root = str(Path(__file__).resolve().parents[1])
    worker = subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        env={**os.environ, "PYTHONPATH": root, "TMPDIR": str(tmp_path)[:60]},
    )
    wait_until(lambda: len(pids(tmp_path)) == 3)
    assert all(alive(pid) for pid in pids(tmp_path))
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    wait_until(lambda: not any(alive(pid) for pid in pids(tmp_path)))


OWN_RUNS = """
import mlflow
mlflow.set_tracking_uri(uri)
mlflow.set_experiment("elsewhere")
for depth in (1, 2):
    with mlflow.start_run():
        mlflow.log_metric("loss", 1.0 / depth)
        mlflow.log_metric(f"only_{depth}", depth)
        with mlflow.start_run(nested=True):
            mlflow.log_metric("loss", 10)
            mlflow.log_metric("fold", depth)
with mlflow.start_run(tags={"mlops.owner": "another"}):
    mlflow.log_metric("foreign", 1)
"""


def test_metrics_of_mlflow_runs_that_the_notebook_owns(tmp_path: Path) -> None:
    env = {
        "MLOPS_MLFLOW_OWNER": "parent-1",
        "MLFLOW_RUN_CONTEXT": '{"mlflow.parentRunId": "parent-1", "mlops.owner": "parent-1"}',
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    result = run(
        tmp_path,
        OWN_RUNS,
        parameters={"uri": f"sqlite:///{tmp_path}/own.sqlite"},
        env=env,
        metrics=["absent"],
    )
    assert result.state == RunState.SUCCEEDED, result
    assert result.metrics == {"loss": 0.5, "only_1": 1, "only_2": 2, "fold": 2}
    assert result.warnings == []


def test_trouble_with_own_mlflow_runs_is_a_warning(tmp_path: Path) -> None:
    env = {"MLOPS_MLFLOW_OWNER": "parent-1"}
    result = run(
        tmp_path,
        "import sys, types; sys.modules['mlflow'] = types.ModuleType('mlflow'); auc = 1",
        env=env,
        metrics=["auc"],
    )
    assert result.state == RunState.SUCCEEDED
    assert result.metrics == {"auc": 1}
    assert len(result.warnings) == 1 and "MLflow runs could not be read" in result.warnings[0]


def test_on_a_real_dask_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import Client, LocalCluster

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]))
    events: list[dict[str, Any]] = []
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=None
        ) as cluster,
        Client(cluster) as client,
    ):
        client.subscribe_topic("jupyter-mlops", lambda event: events.append(event[1]))
        good = client.submit(
            run_attempt,
            make_spec(tmp_path, "import os", "n = int(os.environ['OMP_NUM_THREADS'])", threads=2, metrics=["n"]),
        )
        result = good.result()
        assert result.state == RunState.SUCCEEDED, result
        # Dask's own choice for its workers is not the person's choice for kernels
        assert result.metrics == {"n": 2}
        wait_until(lambda: events)
        assert events[0]["kind"] == "started"

        hung = client.submit(run_attempt, make_spec(tmp_path, GRANDCHILD, "while True: pass", run_id="r2"))
        wait_until(lambda: len(pids(tmp_path)) == 3)
        assert list(client.run(live_attempts).values()) in ([[("r2", 1)]], [(("r2", 1),)])
        assert list(client.run(stop_attempt, "r2", 1).values()) == [True]
        assert hung.result().state == RunState.STOPPED
        assert not any(alive(pid) for pid in pids(tmp_path))
