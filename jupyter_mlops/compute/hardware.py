"""Cores, memory and NVIDIA devices that this process may use."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path

import psutil

from ..core.messages import Message

# a kernel with pandas and scikit-learn takes about half of this
MEMORY_PER_SLOT = 1_000_000_000
_CGROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """CPUs this process may use, by affinity and cgroup quota; at least 1."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_text("cpu.max").split()
    if len(quota) == 2 and quota[0] != "max":
        count = min(count, max(1, int(quota[0]) // int(quota[1])))
    return max(1, count)


def memory() -> int:
    """Bytes of memory this process may use, by machine and cgroup limit."""
    total = int(psutil.virtual_memory().total)
    limit = _cgroup_text("memory.max")
    return min(total, int(limit)) if limit.isdigit() else total


def memory_free() -> int:
    """Bytes of memory available now."""
    free = int(psutil.virtual_memory().available)
    limit, used = _cgroup_text("memory.max"), _cgroup_text("memory.current")
    return min(free, int(limit) - int(used)) if limit.isdigit() and used.isdigit() else free


def default_slots() -> int:
    """Parallel runs that this machine's cores and memory allow."""
    return max(1, min(cores(), memory() // MEMORY_PER_SLOT))


def cuda_devices() -> list[str]:
    """Indices of the NVIDIA devices this process may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [device for device in visible.split(",") if device.strip() not in ("", "-1")]
    found = [path.name for path in Path("/dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name)]
    return sorted((name.removeprefix("nvidia") for name in found), key=int)


def cuda_problem() -> Message:
    """Why CUDA cannot be used here; empty if it can."""
    if not cuda_devices():
        return Message("No NVIDIA device on this machine.")
    if find_spec("dask_cuda") is None:
        return Message("An NVIDIA device is here but dask-cuda is not: pip install 'jupyter-mlops[cuda]'.")
    return Message()


def _cgroup_text(name: str) -> str:
    try:
        return (_CGROUP / name).read_text(encoding="ascii").strip()
    except OSError:
        return ""  # no cgroup v2, or the root group, which has no limits
