"""CPU time and memory of everything that works for a sweep, by what the processes are."""

from __future__ import annotations

from collections import Counter

import psutil
from common import Server, memory_of

KERNELS = "kernels and fork servers"
# the first that fits names a process; what is none of them was started by a worker to run cells
_PARTS = {
    "jupyter_mlops.tracking.server.app": "MLflow's server",
    "jupyter_mlops.service": "service",
    "jupyter_mlops.compute.host_process": "host (Dask scheduler)",
    "spawn_main": "Dask workers",
    "resource_tracker": "Python's resource trackers",
    "jupyter_mlops.worker.processes.guardian": "guardians",
}
KINDS = ("service", "Dask workers", KERNELS, "host (Dask scheduler)", "MLflow's server", "guardians", "Jupyter server")


def _kind(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    return next((kind for part, kind in _PARTS.items() if part in command), KERNELS)


def family(running: Server) -> dict[str, list[psutil.Process]]:
    """The Jupyter server, the service and everything that they have started, by kind."""
    found = {"Jupyter server": [running.process]}
    service = psutil.Process(running.get("/mlops/status")["service"]["pid"])
    for process in [service, *service.children(recursive=True)]:
        try:
            found.setdefault(_kind(process), []).append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def cpu_used(running: Server) -> Counter[str]:
    """CPU seconds used up to now, by kind.

    A kernel that is gone lives on in what its parent knows of the children it has waited for.
    """
    used: Counter[str] = Counter()
    for kind, processes in family(running).items():
        heir = KERNELS if kind == "Dask workers" else kind
        for process in processes:
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            used[kind] += times.user + times.system
            if kind != "Jupyter server":  # the service is no part of it, though its child
                used[heir] += times.children_user + times.children_system
    return used


def memory_used(running: Server) -> Counter[str]:
    """PSS in MB, by kind."""
    used: Counter[str] = Counter()
    for kind, processes in family(running).items():
        for process in processes:
            try:
                used[kind] += memory_of([process])[0]
            except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                continue  # a kernel that has just ended
    return used
