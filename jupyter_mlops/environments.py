"""Lists the packages installed in a kernel's environment."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
import time
from functools import lru_cache
from pathlib import Path

from .core.runs import Kernelspec

_LIST = """
import importlib.metadata as m, sys
# the working directory is not part of the environment
sys.path = [path for path in sys.path if path]
names = {d.metadata["Name"] + "==" + d.version for d in m.distributions() if d.metadata["Name"]}
print("python==" + sys.version.split()[0])
print("\\n".join(sorted(names, key=str.lower)))
"""
# jupyter_client replaces such a name by its own interpreter
OWN_PYTHON = re.compile(r"^python(3(\.\d+)?)?$")
_TIMEOUT = 60.0  # s
CACHE_SECONDS = 10.0
_one_at_a_time = threading.Lock()


def recent_packages(kernel: str, spec: Kernelspec | None = None) -> tuple[str, str] | None:
    """As :func:`packages`, cached for some seconds."""
    return packages(kernel, str(int(time.monotonic() // CACHE_SECONDS)), spec)


def packages(kernel: str, occasion: str, spec: Kernelspec | None = None) -> tuple[str, str] | None:
    """Package list of a kernel's interpreter and a short hash of it; None for other languages.

    Args:
        kernel: name of its kernelspec.
        occasion: cache key; packages may be installed between two occasions.
        spec: None looks the kernel up in this process's environment.
    """
    # concurrent callers want the same list: let the second one wait and use the cache
    with _one_at_a_time:
        started = _started_by(kernel) if spec is None else (spec.argv[0], tuple(spec.env.items()))
        return started and _packages(*started, occasion)


def _started_by(kernel: str) -> tuple[str, tuple[tuple[str, str], ...]] | None:
    """Program and variables of an installed kernel."""
    # slow to import
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec(kernel)
    except NoSuchKernel:
        return None
    return (spec.argv[0], tuple(spec.env.items())) if spec.argv else None


@lru_cache(maxsize=32)
def _packages(program: str, variables: tuple[tuple[str, str], ...], occasion: str) -> tuple[str, str] | None:
    listed = _list_packages(program, dict(variables))
    return None if listed is None else (listed, hashlib.sha256(listed.encode()).hexdigest()[:12])


def _list_packages(program: str, variables: dict[str, str]) -> str | None:
    """One line ``name==version`` for Python and each package; None if the interpreter is not Python or fails."""
    if "python" not in Path(program).name:
        return None
    try:
        done = subprocess.run(
            [sys.executable if OWN_PYTHON.match(program) else program, "-c", _LIST],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
            env=os.environ | {name: os.path.expandvars(value) for name, value in variables.items()},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
