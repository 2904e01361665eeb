"""Which packages a kernel's environment holds."""

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
# what lies where the asking process happens to be is not installed
sys.path = [place for place in sys.path if place]
names = {d.metadata["Name"] + "==" + d.version for d in m.distributions() if d.metadata["Name"]}
print("python==" + sys.version.split()[0])
print("\\n".join(sorted(names, key=str.lower)))
"""
# as jupyter_client has it: such a name stands for the interpreter that starts the kernel
OWN_PYTHON = re.compile(r"^python(3(\.\d+)?)?$")
_PATIENCE = 60.0  # s
LOOK_AGAIN = 10.0  # s
_one_at_a_time = threading.Lock()


def packages_of_late(kernel: str, spec: Kernelspec | None = None) -> tuple[str, str] | None:
    """As :func:`packages`, for those who ask again and again: looked at anew every few seconds."""
    return packages(kernel, str(int(time.monotonic() // LOOK_AGAIN)), spec)


def packages(kernel: str, occasion: str, spec: Kernelspec | None = None) -> tuple[str, str] | None:
    """Package list of a kernel's own interpreter and a short hash of it; None for other languages.

    Args:
        kernel: name of its kernelspec.
        occasion: each, such as a sweep, looks once; packages are installed between them.
        spec: what it is started by; None takes this process's own kernel of that name.
    """
    # whoever asks meanwhile asks the same: a process of its own would only make both wait longer
    with _one_at_a_time:
        started = _started_by(kernel) if spec is None else (spec.argv[0], tuple(spec.env.items()))
        return started and _packages(*started, occasion)


def _started_by(kernel: str) -> tuple[str, tuple[tuple[str, str], ...]] | None:
    """Program and variables of this process's own kernel of a name."""
    # takes as long to import as all else of a command together
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
    """One line ``name==version`` for Python and each package of a kernel's own interpreter.

    Returns:
        None for kernels of other languages, and where the interpreter does not answer.
    """
    if "python" not in Path(program).name:
        return None
    try:
        done = subprocess.run(
            [sys.executable if OWN_PYTHON.match(program) else program, "-c", _LIST],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
            env=os.environ | {name: os.path.expandvars(value) for name, value in variables.items()},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
