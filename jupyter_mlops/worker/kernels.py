"""Starting a kernel for one run, and ending it with everything it started."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.manager import AsyncKernelManager

from . import guard

NICENESS = 10
# of -1000 to 1000: the kernel's memory killer takes notebooks before anything else of this user
OOM_SCORE = 900
SAMPLE_SECONDS = 1.0
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "JULIA_NUM_THREADS",
)


def kernel_environment(threads: int, extra: dict[str, str]) -> dict[str, str]:
    """Environment of a kernel: the worker's, a share of the cores, and what the run adds."""
    share = dict.fromkeys(THREAD_VARIABLES, str(threads))
    if os.environ.get("MLOPS_ONE_DEVICE"):
        # dask-cuda gives each worker all devices, its own first
        share["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    return {**os.environ, **share, **extra}


@contextlib.contextmanager
def kernel_manager(kernel_name: str) -> Iterator[Any]:
    """A manager that speaks to its kernel over sockets in a folder that only this user can open.

    TCP ports collide when several kernels start at once.
    """
    # the path of a socket may have 107 characters: the system's own short temporary folder
    folder = tempfile.mkdtemp(prefix="mlops-", dir="/tmp" if Path("/tmp").is_dir() else None)
    manager = AsyncKernelManager(
        kernel_name=kernel_name,
        transport="ipc",
        ip=str(Path(folder) / "k"),
        connection_file=str(Path(folder) / "c.json"),
    )
    manager.shutdown_wait_time = 3.0
    try:
        yield manager
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class KernelProcess:
    """The process group of one kernel: watched, measured, and ended as a whole."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.peak_memory = 0
        self.cpu_seconds = 0.0
        self._gone = threading.Event()
        guard.watch(pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpriority(os.PRIO_PGRP, pid, NICENESS)
        with contextlib.suppress(OSError), open(f"/proc/{pid}/oom_score_adj", "w", encoding="ascii") as file:
            file.write(str(OOM_SCORE))
        self._sampler = threading.Thread(target=self._sample_always, daemon=True, name=f"kernel-{pid}")
        self._sampler.start()

    def sample(self) -> None:
        """Measure memory and CPU time now."""
        memory, cpu = 0, 0.0
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                memory += process.memory_info().rss
                times = process.cpu_times()
                cpu += times.user + times.system + times.children_user + times.children_system
        self.peak_memory = max(self.peak_memory, memory)
        self.cpu_seconds = max(self.cpu_seconds, cpu)

    def kill(self) -> None:
        """End the whole process group, and what left the group but still descends from the kernel."""
        self._gone.set()
        strays = self._processes()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for process in strays:
            with contextlib.suppress(psutil.Error):
                process.kill()
        guard.forget(self.pid)

    def _processes(self) -> list[psutil.Process]:
        try:
            kernel = psutil.Process(self.pid)
            return [kernel, *kernel.children(recursive=True)]
        except psutil.Error:
            return []

    def _sample_always(self) -> None:
        while not self._gone.wait(SAMPLE_SECONDS):
            self.sample()
