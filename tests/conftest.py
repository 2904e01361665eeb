"""A real server, a real store in a temporary folder, and notebooks to run."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sqlite3
import subprocess
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
import psutil
import pytest
from hypothesis import settings as hypothesis_settings
from jupyter_client.kernelspec import KernelSpecManager
from session_helpers import end_all_of, kill, pytest_configure, pytest_sessionfinish, pytest_terminal_summary

from jupyter_mlops.core.processes import PYTHON
from jupyter_mlops.core.states import SWEEP_OVER
from jupyter_mlops.core.sweeps import Sweep, SweepRequest
from jupyter_mlops.services.process.launch import ensure_service, service_log
from jupyter_mlops.services.sweeps.requests import Sweeps
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store

pytest_plugins = (
    "hostile_helpers",
    "pytest_jupyter.jupyter_server",
    "postgresql_helpers",
    "pipeline_helpers",
    "api_helpers",
)
# hooks of every session
__all__ = ["pytest_configure", "pytest_sessionfinish", "pytest_terminal_summary"]
BASE_URL = "/user/ada/"
PATIENCE = 180.0  # s that a test waits for what takes a second on a quiet machine
# the same examples each time; HYPOTHESIS_PROFILE=random draws others, and more of them
hypothesis_settings.register_profile("same", deadline=None, derandomize=True, database=None, max_examples=50)
hypothesis_settings.register_profile("random", deadline=None, database=None, max_examples=2_000, print_blob=True)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def write_notebook(path: Path, *sources: str, kernel: str = "python3", language: str = "python") -> Path:
    """A notebook whose first cell is tagged ``parameters``."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    kernelspec = {"name": kernel, "language": language, "display_name": kernel}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec})
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def install_plugin(site: Path, group: str, name: str, thing: str, source: str, patch: pytest.MonkeyPatch) -> None:
    """A package that adds one entry point, for this process and those that it starts."""
    info = site / f"{name}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {name}:{thing}\n")
    (site / f"{name}.py").write_text(textwrap.dedent(source))
    patch.syspath_prepend(str(site))
    patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")])))


@pytest.fixture(autouse=True)
def _environment_is_left_as_it_was() -> Iterator[None]:
    """What only the service sets, such as how long MLflow is waited for, would reach the kernels of later tests."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture
def jp_base_url() -> str:
    return BASE_URL


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "mlops-data"


@pytest.fixture
def jp_server_config(data_dir: Path) -> dict[str, Any]:
    return {
        "ServerApp": {"jpserver_extensions": {"jupyter_mlops": True}},
        "MlopsSettings": {"data_dir": str(data_dir), "start_service": False},
    }


@pytest.fixture
def settings(data_dir: Path) -> MlopsSettings:
    return MlopsSettings(data_dir=str(data_dir), service_idle_timeout=60.0)


@pytest.fixture
def store(settings: MlopsSettings) -> Iterator[Store]:
    store = Store(settings.store_url)
    yield store
    store.close()


@pytest.fixture
def sweeps(store: Store, settings: MlopsSettings) -> Sweeps:
    return Sweeps(store, settings)


@pytest.fixture
def kernelspecs() -> dict[str, Any]:
    found: dict[str, Any] = KernelSpecManager().get_all_specs()
    return found


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all tests that leave it alive; each has notebooks, and so sweeps, of its own."""
    folder = tmp_path_factory.mktemp("shared") / "mlops-data"
    with serving(MlopsSettings(data_dir=str(folder), local_slots=2, service_idle_timeout=600.0)) as service:
        yield service


@pytest.fixture
def own_service(settings: MlopsSettings) -> Iterator[Service]:
    """One for a test that kills it, or needs it empty; it works on ``data_dir``."""
    with serving(settings) as service:
        yield service


@contextlib.contextmanager
def serving(settings: MlopsSettings) -> Iterator[Service]:
    """The real service with some settings, ended with all it has started."""
    store = Store(settings.store_url)
    service = Service(settings, store)
    try:
        service.start()
        yield service
    finally:
        service.end()
        store.close()


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """Where the test's own notebook is to lie."""
    return tmp_path / "work" / "train.ipynb"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system can be mounted by root only")
    yield place
    # whatever still writes there has been ended by now
    subprocess.run(["umount", "-l", str(place)], check=True)


def wait_until(what: Callable[[], Any], seconds: float = PATIENCE, why: Callable[[], Any] = str) -> Any:
    """Wait until something is true, and return it.

    Args:
        why: asked for a word on how things stand where it never becomes true.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s {why()}")


def processes_with(text: str) -> list[psutil.Process]:
    """Living processes whose command names something, such as a folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        named = any(text in part for part in process.info["cmdline"] or [])
        if named and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def kernels_of(sweep_id: str) -> list[psutil.Process]:
    """Living processes that run notebooks of a sweep; a forked one shows by the log of its run that it writes to."""
    found = []
    for process in psutil.process_iter(["status"]):
        try:
            ours = process.environ().get("MLOPS_SWEEP_ID") == sweep_id
            ours = ours or f"/runs/{sweep_id[:12]}-" in os.readlink(f"/proc/{process.pid}/fd/1")
        except (psutil.Error, OSError):
            continue
        if ours and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


class Service:
    """The real service in its own process, and what a test needs to do to it."""

    def __init__(self, settings: MlopsSettings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.sweeps = Sweeps(store, settings)

    @property
    def pid(self) -> int | None:
        """Of the process that works on this data folder."""
        for process in psutil.process_iter(["cmdline"]):
            if "jupyter_mlops.service" in (process.info["cmdline"] or []) and self._ours(process):
                return int(process.pid)
        return None

    def _ours(self, process: psutil.Process) -> bool:
        try:
            return str(self.settings.data_path) in process.environ().get("JUPYTER_MLOPS_SETTINGS", "")
        except psutil.Error:
            return False

    def start(self) -> None:
        if not self.settings.mlflow_tracking_uri:
            put_mlflow(self.settings.data_path)
        ensure_service(self.settings, wait=120)

    def sweep(
        self, path: Path, *sources: str, kernel: str = "python3", language: str = "python", **request: Any
    ) -> str:
        """Write a notebook and start a sweep of it."""
        write_notebook(path, *sources, kernel=kernel, language=language)
        specs = KernelSpecManager().get_all_specs()
        return self.sweeps.create(path, SweepRequest(path=str(path), **request), specs).id

    def kill(self) -> None:
        """End it as a power cut would."""
        pid = self.pid
        assert pid is not None
        kill(psutil.Process(pid))

    def kill_workers(self, kind: str = "local") -> None:
        """The same for a target's host and workers."""
        for host in processes_with(str(self.settings.data_path / "targets" / kind)):
            kill(*host.children(recursive=True), host)

    def kill_mlflow(self) -> None:
        """The same for the embedded MLflow."""
        kill(*self.mlflow_processes())

    def mlflow_processes(self) -> list[psutil.Process]:
        """Of the embedded MLflow server."""
        found = processes_with(str(self.settings.data_path))
        return [process for process in found if "jupyter_mlops.tracking.server.app" in str(process.cmdline())]

    def end(self) -> None:
        """Bid it end, and make sure that nothing of it stays."""
        pid = self.pid
        if pid is not None:
            process = psutil.Process(pid)
            process.terminate()
            psutil.wait_procs([process], timeout=180)
        end_all_of(self.settings.data_path)

    def wait(self, sweep_id: str, until: Callable[[Sweep], bool] | None = None, seconds: float = PATIENCE) -> Sweep:
        """Wait until a sweep is over, or until something holds of it."""
        until = until or (lambda sweep: sweep.state in SWEEP_OVER)

        def state() -> str:
            sweep = self.store.sweeps.get(sweep_id)
            return f"{json.dumps(sweep.counts)} {sweep.state} {sweep.message}\n{service_log(self.settings, 3000)}"

        wait_until(lambda: until(self.store.sweeps.get(sweep_id)), seconds, state)
        return self.store.sweeps.get(sweep_id)

    def run_until_over(self, path: Path, *sources: str, **request: Any) -> Sweep:
        """Start a sweep and wait for its end."""
        return self.wait(self.sweep(path, *sources, **request))


@functools.cache
def _made_mlflow() -> bytes:
    """The embedded MLflow's file as it is at first."""
    with tempfile.TemporaryDirectory() as folder:
        # MLflow is not imported here: it stays, and sets the environment
        code = "import pathlib, sys; from jupyter_mlops.tracking import Tracking; "
        code += "Tracking(pathlib.Path(sys.argv[1])).linked_to_model([])"
        subprocess.run([*PYTHON, "-c", code, folder], check=True, capture_output=True)
        source, target = sqlite3.connect(Path(folder, "mlflow.sqlite")), sqlite3.connect(Path(folder, "copy"))
        with contextlib.closing(source), contextlib.closing(target):
            source.backup(target)
        return Path(folder, "copy").read_bytes()


def put_mlflow(data: Path) -> None:
    """Spare a service the seconds that it takes to make MLflow's file, where there is none yet."""
    file = data / "mlflow.sqlite"
    if not file.exists():
        data.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_made_mlflow())
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute("UPDATE experiments SET artifact_location = ?", [(data / "mlartifacts" / "0").as_uri()])
            connection.commit()
