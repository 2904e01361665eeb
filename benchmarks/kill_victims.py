"""The processes that work for a store, and their sudden end."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil

JUPYTER, SERVICE, MLFLOW, HOST = "Jupyter server", "service", "MLflow", "host (Dask scheduler)"
WORKER, FORK_SERVER, KERNEL, ALL = "Dask worker", "fork server", "kernel", "all at once"
# how often each is chosen
WEIGHTS = {SERVICE: 28, WORKER: 18, HOST: 10, KERNEL: 18, FORK_SERVER: 8, MLFLOW: 8, JUPYTER: 5, ALL: 5}

Victims = dict[str, list[psutil.Process]]


def family(data: Path) -> Victims:
    """All processes that work on a data folder, by kind; the Jupyter server is not among them."""
    found: Victims = {kind: [] for kind in WEIGHTS}
    for process in psutil.process_iter(["cmdline", "status"]):
        command = process.info["cmdline"] or []
        if process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        if "jupyter_mlops.service" in command and _is_of(process, data):
            found[SERVICE].append(process)
        elif "jupyter_mlops.tracking.server.app" in command and str(data) in command:
            found[MLFLOW].append(process)
        elif "jupyter_mlops.compute.host_process" in command and any(str(data) in part for part in command):
            found[HOST].append(process)
            with contextlib.suppress(psutil.Error):
                _add_workers(found, process)
    return found


def _is_of(process: psutil.Process, data: Path) -> bool:
    try:
        return f'"{data}"' in process.environ().get("JUPYTER_MLOPS_SETTINGS", "")
    except psutil.Error:
        return False


def _add_workers(found: Victims, host: psutil.Process) -> None:
    for worker in host.children():
        if "spawn_main" not in " ".join(worker.cmdline()):
            continue
        found[WORKER].append(worker)
        for child in worker.children(recursive=True):
            command = " ".join(child.cmdline())
            if "jupyter_mlops.worker.processes.guardian" in command:
                continue
            served = "server.py" in command and child.ppid() == worker.pid
            found[FORK_SERVER if served else KERNEL].append(child)


def alive(victims: Victims) -> list[psutil.Process]:
    """All of them in one list."""
    return [process for processes in victims.values() for process in processes]


def kill(processes: list[psutil.Process]) -> None:
    """End them with signal 9."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def is_running(process: psutil.Process) -> bool:
    """Whether it lives, and is more than an entry that its parent has not read yet."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
