"""Kernels forked from a process that has their imports done: each is as good as a new one, or it is a new one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import write_notebook
from warm_helpers import STEADY, WHO, Notebook, gone
from warm_kernels import OtherEnvironment, put_kernel
from worker_helpers import run

from jupyter_mlops.core.states import RunState
from jupyter_mlops.worker.fork import client as forks


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> OtherEnvironment:
    return OtherEnvironment(tmp_path_factory.mktemp("environment"))


@pytest.fixture
def other(environment: OtherEnvironment, monkeypatch: pytest.MonkeyPatch) -> OtherEnvironment:
    """Another virtual environment, whose kernel is found."""
    monkeypatch.setenv("JUPYTER_PATH", str(environment.jupyter))
    return environment


SELF = """
import json, os
print(json.dumps({
    "pid": os.getpid(), "parent": os.getppid(), "session": os.getsid(0), "group": os.getpgrp(),
    "folder": os.getcwd(), "names": [name for name in globals() if name == "mark"],
    "run": os.environ["MLOPS_RUN_ID"], "files": os.environ["MLOPS_RUN_DIR"], "attempt": os.environ["MLOPS_ATTEMPT"],
    "given": os.environ.get("GIVEN"), "threads": os.environ["OMP_NUM_THREADS"],
}))
mark = 1
"""


def test_each_run_is_forked_from_the_same_process(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path, SELF, env={"GIVEN": "yes"}, threads=3, metrics=["mark"])
    results, found = [], []
    for _ in range(3):
        results.append(notebook.run())
        found.append(notebook.read())
    for number, (result, printed) in enumerate(zip(results, found, strict=True), 1):
        assert result.state is RunState.SUCCEEDED
        assert (result.kernel_start, result.kernel_reason) == ("warm", "")
        assert result.metrics == {"mark": 1}
        assert result.timing is not None
        assert result.timing.start > 0 and result.timing.cells > 0 and result.timing.finish > 0
        assert result.cpu_seconds is not None and result.cpu_seconds > 0
        assert result.peak_memory is not None and result.peak_memory > 10_000_000
        assert printed["pid"] == printed["session"] == printed["group"]
        assert printed["names"] == []
        assert printed["folder"] == str(tmp_path / "project")
        assert printed["run"] == f"notebook-{number}" == Path(printed["files"]).parent.name
        assert (printed["attempt"], printed["given"], printed["threads"]) == ("1", "yes", "3")
    assert len({printed["parent"] for printed in found}) == 1
    assert len({printed["pid"] for printed in found}) == 3
    assert found[0]["parent"] != os.getpid()


def test_what_a_server_is_for_is_not_mixed_up(tmp_path: Path) -> None:
    """Environment, folder and thread count are set before the imports."""
    first = Notebook(tmp_path, SELF, run_id="one").last()
    assert Notebook(tmp_path, SELF, run_id="env", env={"GIVEN": "1"}).last()["parent"] != first["parent"]
    assert Notebook(tmp_path, SELF, run_id="threads", threads=2).last()["parent"] != first["parent"]
    (tmp_path / "elsewhere").mkdir()
    elsewhere = Notebook(tmp_path, SELF, run_id="folder", folder=str(tmp_path / "elsewhere")).last()
    assert elsewhere["parent"] != first["parent"]
    assert elsewhere["folder"] == str(tmp_path / "elsewhere")


FLOOD = """
import os, signal, time
worker = int(os.environ["JPY_PARENT_PID"])
os.kill(worker, signal.SIGSTOP)
try:
    for number in range(5000):
        print(number, flush=True)
    time.sleep(0.2)
finally:
    os.kill(worker, signal.SIGCONT)
"""


@pytest.mark.parametrize("kernel_start", ["auto", "fresh"])
def test_output_that_nobody_reads_for_a_while_is_kept(tmp_path: Path, kernel_start: str) -> None:
    (text,) = Notebook(tmp_path, FLOOD, kernel_start=kernel_start).texts()
    assert text == "".join(f"{number}\n" for number in range(5000))


# -- imports before the fork, in an environment that does not have this package ---------------------------


def prints(tmp_path: Path, *cells: str, **fields: Any) -> list[str]:
    """What the cells of a warm run print, in the other environment."""
    notebook = Notebook(tmp_path, *cells, kernel="other", **fields)
    result = notebook.run()
    assert (result.kernel_start, result.kernel_reason) == ("warm", ""), result
    return notebook.texts(1)


def test_another_environment_needs_ipykernel_only(tmp_path: Path, other: OtherEnvironment) -> None:
    code = "import early, os, sys\nprint(early.PID == os.getppid(), sys.prefix)\ntry:\n    import jupyter_mlops\n"
    code += "except ImportError:\n    print('not there')"
    assert prints(tmp_path, code) == [f"True {other.packages.parents[2]}\nnot there\n"]


@pytest.mark.parametrize(
    ("module", "shown"),
    [
        ("noisy", "imported\n"),
        ("complaining", "UserWarning: it is old"),
        ("broken", "ImportError not today\n"),
        ("ended", "SystemExit 3\n"),
        ("reading", ""),
        ("replacing", ""),
        ("early", ""),
    ],
)
def test_an_import_that_shows_something_is_left_to_the_notebook(
    tmp_path: Path, other: OtherEnvironment, module: str, shown: str
) -> None:
    code = f"try:\n    import {module}\nexcept BaseException as error:\n    print(type(error).__name__, error)"
    look = f"import sys, os\nprint(early.PID == os.getppid(), '{module}' in sys.modules)"
    for _ in range(2):
        texts = prints(tmp_path, "import early", code, look)
        assert shown in texts[1]
        # what is shown there goes elsewhere from then on
        assert texts[2] == ("" if module == "replacing" else f"True {module not in ('broken', 'ended')}\n")


def test_a_module_that_reads_the_run_at_import_sees_the_right_one(tmp_path: Path, other: OtherEnvironment) -> None:
    notebook = Notebook(tmp_path, "import reading\nprint(reading.RUN)", kernel="other")
    assert [notebook.texts(), notebook.texts()] == [["notebook-1\n"], ["notebook-2\n"]]


def test_threads_that_an_import_starts_are_named(tmp_path: Path, other: OtherEnvironment) -> None:
    notebook = Notebook(
        tmp_path, "import threaded, threading\nprint([t.name for t in threading.enumerate()])", kernel="other"
    )
    for _ in range(2):
        result = notebook.run()
        assert result.kernel_start == "fresh"
        assert result.kernel_reason == "threads run before the fork: watcher"
        assert "watcher" in notebook.texts(notebook.runs)[0]


def test_a_device_that_an_import_opens_is_not_shared(
    tmp_path: Path, other: OtherEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "device0").touch()
    monkeypatch.setattr(forks, "DEVICE_FILES", (str(tmp_path / "device"),))
    env = {"TEST_DEVICE": str(tmp_path / "device0")}
    notebook = Notebook(tmp_path, "import device\nprint(device.FILE.name)", kernel="other", env=env)
    result = notebook.run()
    assert result.kernel_start == "fresh"
    assert result.kernel_reason == f"{tmp_path}/device0 is open before the fork, and forked processes cannot share it"
    assert notebook.texts(1) == [f"{tmp_path}/device0\n"]


def test_random_numbers_differ_unless_seeded(tmp_path: Path, other: OtherEnvironment) -> None:
    notebook = Notebook(
        tmp_path, "import random, unseeded\nprint(random.random(), unseeded.rng.random())", kernel="other"
    )
    found = [number for _ in range(3) for number in notebook.texts()[0].split()]
    assert len(set(found)) == 6
    code = "import random, seeding\nprint(random.random(), random.random())"
    seeded = Notebook(tmp_path, code, kernel="other", run_id="seeded")
    fresh = Notebook(tmp_path, code, kernel="other", run_id="fresh", kernel_start="fresh")
    assert seeded.texts() == seeded.texts() == fresh.texts()


def test_numpy_draws_other_numbers_in_each_run(tmp_path: Path) -> None:
    code = "import numpy\nfrom numpy.random import default_rng\nprint(numpy.random.rand(), default_rng().random())"
    notebook = Notebook(tmp_path, code)
    assert len({number for _ in range(3) for number in notebook.texts()[0].split()}) == 6


def test_a_logger_that_was_set_up_by_an_import_is_heard(tmp_path: Path, other: OtherEnvironment) -> None:
    code = "import speaking\nspeaking.log.warning('heard')"
    fresh = Notebook(tmp_path, code, kernel="other", run_id="fresh", kernel_start="fresh").texts()
    assert prints(tmp_path, code) == fresh == ["heard\n"]


def test_an_editable_install_may_be_edited_between_two_runs(tmp_path: Path, other: OtherEnvironment) -> None:
    module = other.project / "in_progress.py"
    module.write_text("VALUE = 1\n")
    code = "import early, in_progress, os\nprint(early.PID == os.getppid(), in_progress.VALUE)"
    assert prints(tmp_path, code) == ["True 1\n"]
    module.write_text("VALUE = 1000\n")
    assert prints(tmp_path, code) == ["True 1000\n"]


def test_a_module_beside_the_notebook_may_be_edited_between_two_runs(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path, "import helper, os\nprint(helper.PID == os.getpid(), helper.VALUE, os.getppid())")
    found = []
    for value in (1, 1000):
        (tmp_path / "project" / "helper.py").write_text(f"import os\nPID = os.getpid()\nVALUE = {value}\n")
        found.append(notebook.texts()[0].split())
    assert [words[:2] for words in found] == [["True", "1"], ["True", "1000"]]
    assert found[0][2] == found[1][2]


def test_a_file_beside_the_notebook_that_hides_an_installed_module(tmp_path: Path, other: OtherEnvironment) -> None:
    notebook = Notebook(tmp_path, "import indirect\nprint(*indirect.FILES)", kernel="other")
    standard, early = notebook.texts()[0].split()
    assert early == str(other.packages / "early.py")
    # a kernel finds those of the standard library first
    (tmp_path / "project" / "colorsys.py").write_text("")
    assert notebook.run().kernel_start == "warm"
    assert notebook.texts(2)[0].split() == [standard, early]
    local = tmp_path / "project" / "early.py"
    local.write_text("")
    result = notebook.run()
    assert result.kernel_start == "fresh"
    assert result.kernel_reason == "early.py in the notebook's folder hides an installed module of that name"
    assert notebook.texts(3)[0].split() == [standard, str(local)]
    local.unlink()
    assert notebook.run().kernel_start == "warm"


# -- kernels that are not forked -----------------------------------------------------------------------------


def test_kernels_of_other_languages_are_started(tmp_path: Path) -> None:
    result = run(tmp_path, "echo hello", kernel="bash")
    assert result.state is RunState.SUCCEEDED
    assert (result.kernel_start, result.kernel_reason) == ("fresh", "the kernel is not started as an ipykernel")


def test_the_setting(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path, WHO, kernel_start="fresh")
    result = notebook.run()
    assert (result.kernel_start, result.kernel_reason) == ("fresh", "the setting kernel_start is fresh")
    assert notebook.read()["parent"] == os.getpid()


def test_a_kernel_that_has_a_provisioner_of_its_own_is_started_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    put_kernel(tmp_path / "jupyter", "mine", metadata={"kernel_provisioner": {"provisioner_name": "of-mine"}})
    notebook = Notebook(tmp_path, "import os\nprint(os.environ['STARTED_BY'])", kernel="mine")
    result = notebook.run()
    assert result.state is RunState.FAILED and result.error is not None
    assert result.error.message == (
        "The kernel 'mine' is to be started by the provisioner 'of-mine', which is not installed here."
    )
    package = tmp_path / "installed" / "of_mine-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: of-mine\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[jupyter_client.kernel_provisioners]\nof-mine = of_mine:Mine\n")
    (tmp_path / "installed" / "of_mine.py").write_text(
        "from jupyter_client.provisioning.local_provisioner import LocalProvisioner\n"
        "class Mine(LocalProvisioner):\n"
        "    async def pre_launch(self, **kwargs):\n"
        "        kwargs = await super().pre_launch(**kwargs)\n"
        "        kwargs['env'] = {**kwargs['env'], 'STARTED_BY': 'mine'}\n"
        "        return kwargs\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))
    result = notebook.run()
    assert (result.kernel_start, result.state) == ("fresh", RunState.SUCCEEDED), result
    assert result.kernel_reason == "the kernel has a provisioner of its own, of-mine"
    assert notebook.texts(2) == ["mine\n"]


# -- nobody else can ask for a fork ------------------------------------------------------------------------------

SOCKETS = """
import json, os, sys
from pathlib import Path
def inodes(pid):
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[8:-1]
file = Path(sys.argv[sys.argv.index("-f") + 1])
unix = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
named = {line[6]: line[7] for line in unix if len(line) > 7}
server, mine = set(inodes(os.getppid())), set(inodes("self"))
print(json.dumps({
    "folder": str(file.parent),
    "modes": [path.stat().st_mode & 0o777 for path in (file.parent, file)],
    "server": len(server),
    "named by server": [named[inode] for inode in server if inode in named],
    "mine": [named[inode] for inode in mine if inode in named],
    "shared": sorted(server & mine),
    "network": [inode for inode in server
                for table in ("tcp", "tcp6", "udp", "udp6") if f" {inode} " in Path(f"/proc/net/{table}").read_text()],
}))
"""


def test_no_socket_can_be_reached_from_outside(tmp_path: Path) -> None:
    found = Notebook(tmp_path, SOCKETS).last()
    assert found["modes"] == [0o700, 0o600]
    assert found["server"] >= 1
    assert found["named by server"] == found["shared"] == found["network"] == []
    assert len(found["mine"]) >= 5
    assert {os.path.dirname(name) for name in found["mine"]} == {found["folder"]}


# -- other programs' ways to kernels ---------------------------------------------------------------------------

BY_PAPERMILL = """
import sys, papermill
for number in (1, 2):
    papermill.execute_notebook(sys.argv[1], f"{sys.argv[2]}/{number}.ipynb", {"a": number}, engine_name="mlops-warm",
                               cwd=sys.argv[2], progress_bar=False)
"""
BY_NBCLIENT = """
import sys, nbformat
from nbclient import NotebookClient
for number in (1, 2):
    notebook = nbformat.read(sys.argv[1], as_version=4)
    NotebookClient(notebook, resources={"metadata": {"path": sys.argv[2]}}).execute()
    nbformat.write(notebook, f"{sys.argv[2]}/{number}.ipynb")
"""


@pytest.mark.parametrize("program", [BY_PAPERMILL, BY_NBCLIENT], ids=["papermill", "nbclient"])
def test_other_programs_fork_kernels_too(tmp_path: Path, program: str) -> None:
    path = write_notebook(
        tmp_path / "n.ipynb", "a = 0", "import os, numpy\nprint(os.getppid(), os.getpid(), a)", "a + 1"
    )
    environ = {**os.environ, **STEADY}
    if program is BY_NBCLIENT:
        environ["JUPYTER_DEFAULT_PROVISIONER_NAME"] = "mlops-warm"
    worker = subprocess.run(
        [sys.executable, "-c", program, str(path), str(tmp_path)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert worker.returncode == 0, worker.stderr
    assert "Traceback" not in worker.stderr
    printed = []
    for number in (1, 2):
        cells = nbformat.read(tmp_path / f"{number}.ipynb", as_version=4).cells
        a = number if program is BY_PAPERMILL else 0
        assert cells[-1].outputs[0].data["text/plain"] == str(a + 1)
        parent, pid, value = cells[-2].outputs[0].text.split()
        assert value == str(a)
        printed.append((parent, pid))
    assert printed[0][0] == printed[1][0] and printed[0][1] != printed[1][1]
    gone(int(printed[0][0]))
