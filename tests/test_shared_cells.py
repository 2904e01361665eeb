"""Cells that a sweep's runs share are executed once; each run goes on as if it had executed them itself."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from conftest import wait_until
from warm_helpers import Notebook, gone, start_worker
from worker_helpers import alive, text_of

from jupyter_mlops.core.runs import RunResult
from jupyter_mlops.core.states import RunState
from jupyter_mlops.worker import run_attempt, stop_attempt
from jupyter_mlops.worker.fork.client import ForkServerLostError
from jupyter_mlops.worker.fork.pool import fork_servers
from jupyter_mlops.worker.notebook.template import templates


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    """Each test leaves no template behind, and none is left with what it held."""
    yield
    held = [template.kernel.group.pid for _, template in templates._idle]
    templates.close()
    gone(*held)


class Sharing(Notebook):
    """A sweep's notebook whose cells but the last are shared; ``a`` is what the sweep varies."""

    def __init__(self, place: Path, *cells: str, **fields: Any) -> None:
        prefix = len(cells) - 1 + ("parameters_cell" in fields)
        super().__init__(place, *cells, **{"prefix": prefix, "varied": ["a"], **fields})

    def values(self, *values: int, **fields: Any) -> list[Any]:
        """Execute one run for each value; all that are to be forked from one process are."""
        found = []
        for a in values:
            result = self.run(parameters={"a": a}, **fields)
            assert result.state is RunState.SUCCEEDED, msgspec.json.encode(result, enc_hook=str)
            assert (result.kernel_start, result.kernel_reason) == ("shared", ""), result
            found.append([text_of(cell) for cell in self.executed().cells])
        return found

    def count(self) -> int:
        """How often the cell that says so was executed."""
        return len((self.folder / "project" / "log").read_text())


LOG = "open('log', 'a').write('x')"


def comparable(notebook: Any) -> list[Any]:
    """Of an executed notebook, all that must not depend on how its kernel was made."""
    return [
        (cell.source, cell.get("execution_count"), cell.get("outputs"), cell.metadata.papermill.status)
        for cell in notebook.cells
    ]


def test_four_runs_execute_shared_cells_once(tmp_path: Path) -> None:
    cells = [
        f"import os, json\n{LOG}; data = list(range(fixed))",
        "print('shared', data)\nsum(data)",
        "score = a * 10 + fixed\nprint(json.dumps([a, fixed, data, os.environ['MLOPS_RUN_ID']]))\nscore",
        "first = Out[4]\n(In[1][:5], first)",
    ]
    given: dict[str, Any] = {"parameters_cell": "a = 0\nfixed = 1", "metrics": ["score"]}
    notebook = Sharing(tmp_path, *cells, **given, prefix=3)
    results = [notebook.run(parameters={"a": a, "fixed": 3}) for a in (1, 2, 3, 4)]
    assert {(result.kernel_start, result.kernel_reason) for result in results} == {("shared", "")}, results
    assert [result.metrics["score"] for result in results] == [13, 23, 33, 43]
    assert {(result.cell, result.cells) for result in results} == {(6, 6)}
    assert notebook.count() == 1
    fresh = Notebook(tmp_path, *cells, **given, run_id="fresh", kernel_start="fresh")
    for number, a in enumerate((1, 2, 3, 4), 1):
        assert fresh.run(parameters={"a": a, "fixed": 3}).state is RunState.SUCCEEDED
        shared, alone = notebook.executed(number), fresh.executed()
        expected = json.loads(json.dumps(comparable(alone)).replace(f"fresh-{number}", f"notebook-{number}"))
        assert json.loads(json.dumps(comparable(shared))) == expected
        assert shared.metadata.language_info == alone.metadata.language_info
    assert notebook.count() == 5


def test_measured_are_the_runs_own_costs(tmp_path: Path) -> None:
    notebook = Sharing(
        tmp_path, "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass", "a"
    )
    first, second = (notebook.run(parameters={"a": a}) for a in (1, 2))
    assert first.cpu_seconds is not None and second.cpu_seconds is not None
    assert first.cpu_seconds >= 0.5 > second.cpu_seconds > 0
    assert first.timing is not None and second.timing is not None
    assert first.timing.cells >= 0.5 > second.timing.cells > 0
    assert second.peak_memory


def test_each_run_is_a_process_of_its_own(tmp_path: Path) -> None:
    notebook = Sharing(
        tmp_path,
        "import os, json\nshared = os.getpid(); things = []",
        "things.append(a)\nprint(json.dumps([shared, os.getppid(), os.getpid(), os.getsid(0), things]))",
    )
    found = [json.loads(texts[-1]) for texts in notebook.values(1, 2)]
    assert found[0][:2] == [found[0][0]] * 2 == found[1][:2]
    assert [things for *_, things in found] == [[1], [2]]
    assert all(pid == session for _, _, pid, session, _ in found)
    assert found[0][2] != found[1][2]


def test_a_display_of_a_shared_cell_is_updated(tmp_path: Path) -> None:
    notebook = Sharing(
        tmp_path,
        "handle = display('old', display_id='one')\nprint('kept')",
        "handle.update(f'new {a}')",
    )
    notebook.values(1, 2)
    for run in (1, 2):
        shown, printed = notebook.executed(run).cells[1].outputs
        assert shown.data["text/plain"] == f"'new {run}'"
        assert printed.text == "kept\n"


def test_random_numbers_go_on_as_seeded(tmp_path: Path) -> None:
    cells = [
        "import random, numpy\nrandom.seed(3); numpy.random.seed(4)\nrng = numpy.random.default_rng(5)\n"
        "own = random.Random(6)\nrandom.random(), numpy.random.rand()",
        "print(a and [random.random(), numpy.random.rand(), rng.random(), own.random()])",
    ]
    notebook = Sharing(tmp_path, *cells)
    one, two = notebook.values(1, 2)
    assert (
        one[-1]
        == two[-1]
        == Notebook(tmp_path, *cells, run_id="f", kernel_start="fresh").texts(parameters={"a": 1})[-1]
    )


def test_random_numbers_that_nobody_seeded_differ(tmp_path: Path) -> None:
    notebook = Sharing(
        tmp_path,
        "import random, numpy\nown = random.Random()\nrandom.random(), numpy.random.rand(), own.random()",
        "print(random.random(), numpy.random.rand(), own.random(), a)",
    )
    one, two = (set(texts[-1].split()) for texts in notebook.values(1, 2))
    assert len(one) == len(two) == 4 and not one & two


def test_what_shared_cells_changed_in_the_process_stays(tmp_path: Path) -> None:
    cells = [
        "import logging, os, signal, sys, warnings\nlogging.basicConfig(level=logging.INFO)\n"
        "os.environ['SET'] = '1'; os.environ['MLFLOW_TRACKING_URI'] = 'file:elsewhere'; os.environ.pop('HOME', None)\n"
        "os.mkdir('below') if not os.path.exists('below') else None; os.chdir('below')\n"
        "sys.path.insert(0, 'more'); os.umask(0o27); warnings.simplefilter('error')\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); stream = sys.stdout",
        "print(os.environ['SET'], os.environ['MLFLOW_TRACKING_URI'], 'HOME' in os.environ, os.getcwd())\n"
        "print(sys.path[0], os.umask(0), signal.getsignal(signal.SIGTERM), a, file=stream)\n"
        "logging.info('heard')\n"
        "try:\n    warnings.warn('x')\nexcept UserWarning:\n    print('raised')",
    ]
    env = {"MLFLOW_TRACKING_URI": "file:given"}
    fresh = Notebook(tmp_path, *cells, run_id="fresh", kernel_start="fresh", env=env)
    expected = fresh.texts(parameters={"a": 1})[-1]
    assert "INFO:root:heard" in expected
    assert [texts[-1] for texts in Sharing(tmp_path, *cells, env=env).values(1, 1)] == [expected] * 2


def test_a_failing_shared_cell_fails_each_run_where_it_stands(tmp_path: Path) -> None:
    notebook = Sharing(tmp_path, "print('before')", "1 / 0", "a")
    for run in (1, 2):
        result = notebook.run(parameters={"a": run})
        assert result.state is RunState.FAILED and result.error is not None, result
        assert (result.error.name, result.error.cell) == ("ZeroDivisionError", 2)
        assert result.kernel_start == "warm"  # it executed them itself
        assert text_of(notebook.executed().cells[1]) == "before\n"
        assert notebook.executed().cells[2].outputs[0].ename == "ZeroDivisionError"
    assert templates._idle == []


BREAKING = {
    "a thread": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True, name='watch').start()",
        "watch",
    ),
    "an open file": ("file = open('log')", "log open"),
    "a lazily read archive": ("import numpy\nnumpy.savez('x.npz', x=1); file = numpy.load('x.npz')", "x.npz open"),
    "a socket": ("import socket\nserver = socket.create_server(('127.0.0.1', 0))", "open"),
    "a task": ("import asyncio\ntask = asyncio.ensure_future(asyncio.sleep(99))", "asynchronous tasks"),
    "a process": ("import subprocess\nprocess = subprocess.Popen(['sleep', '99'])", "processes"),
    "an end": ("exit()", "end the notebook"),
}


@pytest.mark.parametrize("name", BREAKING)
def test_what_cannot_be_shared_is_executed_by_each_run(tmp_path: Path, name: str) -> None:
    code, reason = BREAKING[name]
    notebook = Sharing(tmp_path, f"{LOG}\n{code}", "print(a, 'process' in dir() and process.poll())")
    for run in (1, 2):
        result = notebook.run(parameters={"a": run})
        assert result.state is RunState.SUCCEEDED, msgspec.json.encode(result, enc_hook=str)
        assert result.kernel_start == "warm"
        assert result.kernel_reason.startswith("no cells were shared: ") and reason in result.kernel_reason
        last = text_of(notebook.executed().cells[-1])
        assert last == ("" if name == "an end" else f"{run} {None if name == 'a process' else False}\n")
    # tried once, found unfit, then executed by each of the two
    assert notebook.count() == 3


def test_the_process_with_the_shared_cells_is_replaced_once_it_is_gone(tmp_path: Path) -> None:
    notebook = Sharing(tmp_path, f"import os\n{LOG}", "print(os.getppid())")
    first = int(notebook.values(1)[0][-1])
    os.kill(first, signal.SIGKILL)
    gone(first)
    second, third = (int(texts[-1]) for texts in notebook.values(2, 3))
    assert first != second == third
    assert notebook.count() == 2


def test_a_run_whose_source_is_killed_is_to_be_repeated(tmp_path: Path) -> None:
    notebook = Sharing(
        tmp_path,
        f"import os, time\n{LOG}",
        "print(os.getpid(), flush=True)\nif a == 1:\n    os.kill(os.getppid(), 9); time.sleep(60)",
    )
    with pytest.raises(ForkServerLostError):
        notebook.run(parameters={"a": 1})
    gone(int(text_of(notebook.executed().cells[-1])))
    notebook.values(2)
    assert notebook.count() == 2


def test_a_run_that_ends_its_own_process_leaves_the_others_alone(tmp_path: Path) -> None:
    notebook = Sharing(tmp_path, f"import os\n{LOG}", "if a == 1: os.kill(os.getpid(), 9)")
    assert notebook.run(parameters={"a": 1}).state is RunState.FAILED
    notebook.values(2)
    assert notebook.count() == 1


def test_stopping_in_the_midst_of_the_shared_cells(tmp_path: Path) -> None:
    notebook = Sharing(tmp_path, "import os, time\nopen('pid', 'w').write(str(os.getpid()))", "time.sleep(60)", "a")
    spec = notebook.next_spec(parameters={"a": 1})
    results: list[RunResult] = []
    thread = threading.Thread(target=lambda: results.append(run_attempt(spec, lambda event: None)))
    thread.start()
    file = tmp_path / "project" / "pid"
    wait_until(lambda: file.exists() and file.read_text())
    assert stop_attempt(spec.run_id, spec.attempt)
    thread.join()
    assert [result.state for result in results] == [RunState.STOPPED]
    gone(int(file.read_text()))


def test_a_limit_holds_in_shared_cells(tmp_path: Path) -> None:
    notebook = Sharing(tmp_path, "import time\ntime.sleep(60)", "a", cell_timeout=0.5)
    result = notebook.run(parameters={"a": 1})
    assert result.state is RunState.FAILED and result.error is not None
    assert result.error.message == "Cell 2 of 3 took longer than 0.5 s and was ended."


def test_another_fixed_value_is_another_process(tmp_path: Path) -> None:
    notebook = Sharing(tmp_path, f"import os\n{LOG}", "print(os.getppid(), fixed)", parameters_cell="a = 1\nfixed = 1")
    found = []
    for a, fixed in ((1, 1), (2, 1), (1, 2), (2, 2)):
        result = notebook.run(parameters={"a": a, "fixed": fixed})
        assert result.kernel_start == "shared", result
        found.append(text_of(notebook.executed().cells[-1]).split())
    assert [fixed for _, fixed in found] == ["1", "1", "2", "2"]
    assert found[0] == found[1] and found[2] == found[3] and found[0][0] != found[2][0]
    assert notebook.count() == 2


def test_another_sweep_is_another_process(tmp_path: Path) -> None:
    notebook = Sharing(tmp_path, LOG, "a")
    notebook.values(1)
    notebook.values(2, sweep_id="s2")
    assert notebook.count() == 2


def test_only_the_parameters_cell_is_shared(tmp_path: Path) -> None:
    notebook = Sharing(tmp_path, "print(a)", "print(a + 1)", parameters_cell="a = 0", prefix=1)
    assert [texts[-2:] for texts in notebook.values(5, 6)] == [["5\n", "6\n"], ["6\n", "7\n"]]


def test_what_shared_cells_start_holds_no_line_to_the_worker(tmp_path: Path) -> None:
    notebook = Sharing(tmp_path, "import os\nprint(os.popen('ls -l /proc/self/fd').read())", "a")
    found = notebook.values(1)[0][1]
    assert "/dev/null" in found or "pipe:" in found
    assert "socket:" not in found


def test_pools_that_are_closed_hold_no_process_and_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    notebook = Sharing(tmp_path, "import os, json\nshared = os.getpid()", "print(json.dumps([shared, os.getppid()]))")
    notebook.values(1, 2)
    template = templates._idle[-1][1].kernel.group.pid
    server = psutil.Process(template).ppid()
    assert alive(template) and alive(server)
    templates.close()
    fork_servers.close()
    gone(template, server)
    wait_until(lambda: not list((tmp_path / "t").iterdir()), why=lambda: list((tmp_path / "t").iterdir()))


def test_a_worker_killed_with_signal_9_takes_all_with_it(tmp_path: Path) -> None:
    notebook = Sharing(
        tmp_path,
        "import os, subprocess, time\npids = [os.getppid(), os.getpid()]",
        "pids.append(os.getpid()); subprocess.Popen(['setsid', 'sleep', '1000'])\n"
        "open('pids', 'w').write(' '.join(map(str, pids)))\nif a == 2: time.sleep(1000)",
    )
    folder = tmp_path / "t"
    worker = start_worker(folder, *(notebook.next_spec(parameters={"a": a}) for a in (1, 2)))
    file = tmp_path / "project" / "pids"
    second = tmp_path / "data" / "notebook-2" / "1" / "kernel.log"
    wait_until(lambda: second.exists() and file.exists() and len(file.read_text().split()) == 3)
    server, template, _ = (int(pid) for pid in file.read_text().split())
    wait_until(lambda: len(psutil.Process(template).children(recursive=True)) >= 2)
    started = [process.pid for process in psutil.Process(template).children(recursive=True)]
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    gone(server, template, *started)
    wait_until(lambda: not list(folder.iterdir()), why=lambda: list(folder.iterdir()))
