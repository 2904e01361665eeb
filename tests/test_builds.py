"""A service and a host of another build: replaced by those of the installed one, while their runs go on."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from conftest import Service, kernels_of, processes_with, serving, wait_until
from upgrade_helpers import RELEASES, lay_out

import jupyter_mlops
from jupyter_mlops.core.errors import UnavailableError
from jupyter_mlops.core.processes import build_on_disk, is_same_build, own_build
from jupyter_mlops.core.service import ServiceInfo
from jupyter_mlops.services.process.launch import (
    ensure_service,
    info_key,
    is_running,
    open_store,
    service_info,
    take_lock,
    write_into,
)
from jupyter_mlops.services.process.layout import Layout
from jupyter_mlops.settings import MlopsSettings


@contextlib.contextmanager
def other_build(folder: Path, line: str = "") -> Iterator[Path]:
    """What is started meanwhile runs a copy of the package, with a line more in it."""
    package = folder / "jupyter_mlops"
    if not package.exists():
        shutil.copytree(
            Path(jupyter_mlops.__file__).parent,
            package,
            ignore=shutil.ignore_patterns("labextension", "__pycache__"),
        )
    with (package / "core" / "__init__.py").open("a") as file:
        file.write(line)
    with mock.patch.dict(os.environ, {"PYTHONPATH": str(folder)}):
        yield package


def told(service: Service) -> ServiceInfo:
    return service_info(service.store, service.settings)


def host_pids(settings: MlopsSettings) -> set[int]:
    return {process.pid for process in processes_with(str(settings.data_path / "targets" / "local"))}


def test_a_build_is_its_source(tmp_path: Path) -> None:
    assert own_build() == build_on_disk()
    code = "from jupyter_mlops.core.processes import build_on_disk; print(build_on_disk())"
    builds = []
    for line in ("", "# a line more\n"):
        with other_build(tmp_path, line):
            builds.append(subprocess.check_output([sys.executable, "-c", code], cwd="/", text=True).strip())
    # a copy of the same source elsewhere, with other times, is the same build
    assert builds[0] == own_build()
    assert builds[1] != own_build()
    assert not is_same_build(builds[1], own_build())
    assert not is_same_build("", own_build())


def test_service_and_host_of_another_build_are_replaced_and_their_run_goes_on(tmp_path: Path, notebook: Path) -> None:
    settings = MlopsSettings(data_dir=str(tmp_path / "data"), local_slots=1, service_idle_timeout=600.0)
    go = tmp_path / "go"
    with other_build(tmp_path / "other", "# a line more\n"), serving(settings) as service:
        wait = f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists():\n    time.sleep(0.05)\nscore = a"
        old = service.sweep(notebook, "a = 1", wait, space={"a": "3"})
        service.wait(old, lambda sweep: sweep.counts.get("running", 0) == 1)
        (old_kernel,) = [process for process in kernels_of(old) if process.children() == []][:1]
        (old_host,), before = host_pids(settings), told(service)
        assert before.build and not is_same_build(before.build, own_build())
        del os.environ["PYTHONPATH"]

        ensure_service(settings, wait=120)
        wait_until(lambda: told(service).state == "ready" and told(service).pid != before.pid)
        assert is_same_build(told(service).build, own_build())
        # it is of the installed build: another request leaves it
        after = told(service).pid
        ensure_service(settings, wait=120)
        assert (told(service).pid, old_kernel.is_running()) == (after, True)

        stopped = service.sweep(notebook.with_name("other.ipynb"), "b = 1", "import time; time.sleep(600)")
        # the run that goes on counts for the one slot
        assert not service.store.sweeps.get(stopped).counts.get("running", 0)
        go.touch()
        sweep = service.wait(old)
        (run,) = service.store.runs.of_sweep(old)
        assert (sweep.state, run.attempt, run.metrics) == ("succeeded", 1, {"score": 3})
        service.wait(stopped, lambda sweep: sweep.counts.get("running", 0) == 1)
        (new_host,) = host_pids(settings) - {old_host}
        lines = {parent.pid for process in kernels_of(stopped) for parent in process.parents()}
        assert new_host in lines and old_host not in lines
        wait_until(lambda: old_host not in host_pids(settings))
        service.sweeps.stop(stopped)
        service.wait(stopped)
        assert host_pids(settings) == {new_host}


def test_a_run_on_a_host_of_another_build_can_be_stopped(tmp_path: Path, notebook: Path) -> None:
    settings = MlopsSettings(data_dir=str(tmp_path / "data"), local_slots=1, service_idle_timeout=600.0)
    with other_build(tmp_path / "other", "# a line more\n"), serving(settings) as service:
        sweep_id = service.sweep(notebook, "a = 1", "import time; time.sleep(600)")
        service.wait(sweep_id, lambda sweep: sweep.counts.get("running", 0) == 1)
        pid = told(service).pid
        del os.environ["PYTHONPATH"]
        ensure_service(settings, wait=120)
        wait_until(lambda: told(service).state == "ready" and told(service).pid != pid)
        service.sweeps.stop(sweep_id)
        service.wait(sweep_id)
        (run,) = service.store.runs.of_sweep(sweep_id)
        assert (run.state, run.attempt) == ("stopped", 1)
        wait_until(lambda: not kernels_of(sweep_id))


def test_a_service_whose_package_was_installed_anew_gives_way_before_it_starts_a_host(
    tmp_path: Path, notebook: Path
) -> None:
    settings = MlopsSettings(data_dir=str(tmp_path / "data"), local_slots=1, service_idle_timeout=600.0)
    with other_build(tmp_path / "other") as package, serving(settings) as service:
        before = wait_until(lambda: told(service).pid and told(service))
        with (package / "core" / "__init__.py").open("a") as file:
            file.write("# a line more\n")
        sweep = service.run_until_over(notebook, "a = 1", "score = a")
        assert (sweep.state, sweep.counts) == ("succeeded", {"succeeded": 1}), sweep.message
        after = told(service)
        assert after.pid != before.pid
        assert not is_same_build(after.build, before.build)


HOLDER = """
import fcntl, pathlib, signal, sys
lock = open(sys.argv[1], "a+")
fcntl.flock(lock, fcntl.LOCK_EX)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("held", flush=True)
signal.pause()
"""


@pytest.mark.parametrize("release", RELEASES)
def test_a_service_of_an_earlier_release_is_ended_before_its_store_is_migrated(release: str, tmp_path: Path) -> None:
    """It says only in the store who it is, as releases before builds did; it holds its lock until it is told to end."""
    earlier = lay_out(release, tmp_path)
    settings = MlopsSettings(data_dir=str(earlier.data))
    layout = Layout(settings.data_path)
    command = [sys.executable, "-c", HOLDER, str(layout.lock), "jupyter_mlops.service"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        said = {"state": "ready", "pid": holder.pid, "host": socket.gethostname(), "python": sys.executable}
        with contextlib.closing(sqlite3.connect(earlier.data / "store.sqlite")) as connection:
            connection.execute(
                "INSERT OR REPLACE INTO infos (key, value) VALUES (?, ?)", (info_key(layout), json.dumps(said))
            )
            connection.commit()
        open_store(settings).close()
        assert holder.wait(timeout=180) == 7
    assert not is_running(settings)


def schema(data: Path) -> str:
    with contextlib.closing(sqlite3.connect(data / "store.sqlite")) as connection:
        (number,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(number)


def test_a_store_is_not_migrated_under_a_service_of_another_build_on_another_machine(tmp_path: Path) -> None:
    """It cannot be ended from here, and went on with a store that it did not know any more."""
    earlier = lay_out(RELEASES[0], tmp_path)
    settings = MlopsSettings(data_dir=str(earlier.data))
    before = schema(earlier.data)
    elsewhere = ServiceInfo(state="ready", pid=123, host="elsewhere", build="0.0.1+old")
    lock = take_lock(Layout(settings.data_path).lock)
    assert lock is not None
    with lock:
        write_into(lock, elsewhere)
        with pytest.raises(UnavailableError, match="The service runs on elsewhere as process 123; end it there"):
            open_store(settings)
        assert schema(earlier.data) == before
        # who only asks for a service has one
        ensure_service(settings)
    open_store(settings).close()
    assert schema(earlier.data) != before
