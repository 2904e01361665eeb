"""Fork servers: lost, replaced, renewed, ended."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import wait_until
from warm_helpers import WHO, Notebook, gone, start_worker
from warm_kernels import OtherEnvironment
from worker_helpers import alive

from jupyter_mlops.core.states import RunState
from jupyter_mlops.worker.fork import client as forks
from jupyter_mlops.worker.fork.client import ForkServer, ForkServerLostError
from jupyter_mlops.worker.fork.pool import fork_servers
from jupyter_mlops.worker.notebook.template import templates


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    """None of these servers is any use to another test."""
    yield
    held = [server.pid for _, server in fork_servers._idle]
    fork_servers.close()
    gone(*held)


def latest() -> ForkServer:
    """The server that was used last."""
    return fork_servers._idle[-1][1]


KILLER = """
import os, subprocess, time
child = subprocess.Popen(["sleep", "1000"])
apart = subprocess.Popen(["setsid", "sleep", "1000"])
time.sleep(2.5)  # the worker looks at its kernel's processes each second
open("pids", "w").write(f"{os.getpid()} {os.getppid()} {child.pid} {apart.pid}")
os.kill(os.getppid(), 9)
time.sleep(60)
"""


def test_a_run_whose_server_is_killed_is_to_be_repeated(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path, KILLER)
    with pytest.raises(ForkServerLostError):
        notebook.run()
    pids = [int(pid) for pid in (tmp_path / "project" / "pids").read_text().split()]
    gone(*pids)
    assert not (tmp_path / "data" / "notebook-1" / "1" / "result.json").exists()
    # in the same folder, with the same environment and the same imports
    following = Notebook(tmp_path, WHO, run_id="following")
    assert following.run().kernel_start == "warm"
    assert following.read()["parent"] not in (pids[1], os.getpid())


def test_after_two_failures_in_a_row_kernels_are_started_anew(tmp_path: Path) -> None:
    killer = Notebook(tmp_path, "import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(60)", run_id="killer")
    good = Notebook(tmp_path, WHO.replace("json, os", "os, json"), run_id="good")
    with pytest.raises(ForkServerLostError):
        killer.run()
    # one that goes well in between, and it is no row
    between = Notebook(tmp_path, "import os, time", run_id="between")
    assert between.run().kernel_start == "warm"
    for _ in range(2):
        with pytest.raises(ForkServerLostError):
            killer.run()
    result = Notebook(tmp_path, "import os, time\nprint(os.getppid())", run_id="third").run()
    assert (result.state, result.kernel_start) == (RunState.SUCCEEDED, "fresh")
    assert result.kernel_reason == "the fork server failed 2 times in a row: the fork server ended"
    # of another kind
    assert good.run().kernel_start == "warm"


def test_a_server_that_no_longer_answers_is_ended(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path, "import os, signal\nprint(os.getppid())\nos.kill(os.getppid(), signal.SIGSTOP)")
    first = int(notebook.texts()[0])
    gone(first)
    following = Notebook(tmp_path, "import os, signal\nprint(os.getppid())", run_id="following")
    assert following.run().kernel_start == "warm"
    assert int(following.texts(1)[0]) != first


def test_a_server_killed_between_two_runs_is_replaced(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path, WHO)
    first = notebook.last()["parent"]
    os.kill(first, signal.SIGKILL)
    gone(first)
    result = notebook.run()
    assert (result.kernel_start, result.kernel_reason) == ("warm", "")
    assert notebook.read()["parent"] != first


def test_a_server_that_does_not_get_ready_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    (tmp_path / "environment").mkdir()
    other = OtherEnvironment(tmp_path / "environment")
    (other.packages / "waiting.py").write_text(
        "import os, sys, time\nif sys.argv[0].endswith('server.py'):\n"
        "    open(os.environ['NOTE'], 'w').write(str(os.getpid()))\n    time.sleep(1000)\n"
    )
    monkeypatch.setenv("JUPYTER_PATH", str(other.jupyter))
    monkeypatch.setattr("jupyter_mlops.worker.kernel.provisioner.WarmProvisioner.patience", 3.0)
    notebook = Notebook(tmp_path, "import waiting\nprint(1)", kernel="other", env={"NOTE": str(tmp_path / "pid")})
    result = notebook.run()
    assert (result.state, result.kernel_start) == (RunState.SUCCEEDED, "fresh"), result
    assert result.kernel_reason == "the fork server was not ready within 3 s"
    gone(int((tmp_path / "pid").read_text()))


def test_a_server_is_renewed_when_packages_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "environment").mkdir()
    other = OtherEnvironment(tmp_path / "environment")
    monkeypatch.setenv("JUPYTER_PATH", str(other.jupyter))
    notebook = Notebook(tmp_path, WHO, kernel="other")
    parents = [notebook.last()["parent"], notebook.last()["parent"]]
    other.install("something")
    parents += [notebook.last()["parent"], notebook.last()["parent"]]
    other.remove("something")
    parents += [notebook.last()["parent"], notebook.last()["parent"]]
    assert parents[0] == parents[1] and parents[2] == parents[3] and parents[4] == parents[5]
    assert len(set(parents)) == 3
    gone(*parents[:4])


def test_other_imports_are_another_server(tmp_path: Path) -> None:
    one = Notebook(tmp_path, WHO, run_id="one").last()["parent"]
    two = Notebook(tmp_path, "import colorsys", WHO, run_id="two").last()["parent"]
    again = Notebook(tmp_path, WHO, run_id="again").last()["parent"]
    assert one == again != two


def test_a_server_that_nobody_asks_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "_IDLE", 0.3)
    notebook = Notebook(tmp_path, WHO)
    first = notebook.last()["parent"]
    gone(first)
    result = notebook.run()
    assert (result.kernel_start, result.kernel_reason) == ("warm", "")
    assert notebook.read()["parent"] != first


def test_a_server_that_is_busy_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "_IDLE", 0.2)
    notebook = Notebook(tmp_path, "import time; time.sleep(1)", WHO)
    assert notebook.last()["parent"] != os.getpid()


def test_a_server_that_grows_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = Notebook(tmp_path, WHO)
    first = notebook.last()["parent"]
    assert first == latest().pid and latest().memory > 10_000_000
    # as if it had been small once
    monkeypatch.setattr(forks, "_GROWTH_BYTES", 1_000_000)
    latest().memory //= 2
    second = notebook.last()["parent"]
    assert second != first
    gone(first)
    assert notebook.last()["parent"] == second


def test_no_more_servers_than_can_be_used_are_kept(tmp_path: Path) -> None:
    parents = [Notebook(tmp_path, WHO, run_id=f"n{n}", threads=n).last()["parent"] for n in (1, 2, 3)]
    gone(parents[0])
    assert all(alive(pid) for pid in parents[1:])


def test_a_worker_killed_with_signal_9_takes_its_servers_along(tmp_path: Path) -> None:
    notebook = Notebook(
        tmp_path,
        "import os, subprocess, time\n"
        "children = [subprocess.Popen([*how, 'sleep', '1000']).pid for how in ([], ['setsid'])]\ntime.sleep(2.5)\n"
        "open('pids', 'w').write(' '.join(map(str, [os.getppid(), os.getpid(), *children])))\n"
        "time.sleep(1000)",
    )
    folder = tmp_path / "t"
    worker = start_worker(folder, notebook.next_spec())
    file = tmp_path / "project" / "pids"
    wait_until(lambda: file.exists() and len(file.read_text().split()) == 4)
    pids = [int(pid) for pid in file.read_text().split()]
    assert all(alive(pid) for pid in pids)
    assert list(folder.iterdir())
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    gone(*pids)
    wait_until(lambda: not list(folder.iterdir()), why=lambda: list(folder.iterdir()))


def test_descriptors_and_threads_of_the_worker_do_not_grow(tmp_path: Path) -> None:
    """Whatever becomes of a server, nothing of it is left in the process that used it."""

    def held() -> tuple[int, int]:
        fork_servers.close()
        templates.close()
        names = [thread.name for thread in threading.enumerate() if thread.name.startswith("fork-server")]
        return len(os.listdir("/proc/self/fd")), len(names)

    killer = Notebook(tmp_path, "import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(60)", run_id="killer")
    good = Notebook(tmp_path, WHO, run_id="good")
    good.last()
    wait_until(lambda: held()[1] == 0)
    before = held()[0]
    for _ in range(2):
        with pytest.raises(ForkServerLostError):
            killer.run()
        good.last()
        fork_servers.close()
        good.last()
    wait_until(lambda: held()[1] == 0)
    assert held()[0] <= before
