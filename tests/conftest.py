"""A real server, a real store in a temporary folder, and notebooks to run."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from jupyter_client.kernelspec import KernelSpecManager

from jupyter_mlops.core.records import Sweep
from jupyter_mlops.core.states import SWEEP_OVER
from jupyter_mlops.services.launch import ensure_service
from jupyter_mlops.services.requests import Sweeps
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store

pytest_plugins = ("pytest_jupyter.jupyter_server",)
BASE_URL = "/user/ada/"


def write_notebook(path: Path, *sources: str, kernel: str = "python3", language: str = "python") -> Path:
    """A notebook whose first cell is tagged ``parameters``."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    kernelspec = {"name": kernel, "language": language, "display_name": kernel}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec})
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


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


@pytest.fixture
def service(settings: MlopsSettings, store: Store) -> Iterator[Service]:
    service = Service(settings, store)
    service.start()
    yield service
    service.end()


class Service:
    """The real service in its own process, and what a test needs to do to it."""

    def __init__(self, settings: MlopsSettings, store: Store) -> None:
        self.settings = settings
        self.store = store

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
        ensure_service(self.settings, wait=20)

    def kill(self) -> None:
        """End it as a power cut would."""
        pid = self.pid
        assert pid is not None
        os.kill(pid, 9)
        psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=5)

    def end(self) -> None:
        """Bid it end, and make sure that nothing of it stays."""
        pid = self.pid
        if pid is not None:
            process = psutil.Process(pid)
            process.terminate()
            psutil.wait_procs([process], timeout=20)
        for process in psutil.process_iter(["cmdline"]):
            if any(str(self.settings.data_path) in part for part in process.info["cmdline"] or []):
                process.kill()

    def wait(self, sweep_id: str, until: Callable[[Sweep], bool] | None = None, seconds: float = 90) -> Sweep:
        """Wait until a sweep is over, or until something holds of it."""
        until = until or (lambda sweep: sweep.state in SWEEP_OVER)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            sweep = self.store.sweep(sweep_id)
            if until(sweep):
                return sweep
            time.sleep(0.1)
        raise AssertionError(f"waited in vain: {json.dumps(sweep.counts)} {sweep.state} {sweep.message}")
