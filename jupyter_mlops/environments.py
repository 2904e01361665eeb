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

from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

_LIST = """
import importlib.metadata as m, sys
# what lies where the asking process happens to be is not installed
sys.path = [place for place in sys.path if place]
names = {d.metadata["Name"] + "==" + d.version for d in m.distributions() if d.metadata["Name"]}
print("python==" + sys.version.split()[0])
print("\\n".join(sorted(names, key=str.lower)))
"""
# as jupyter_client has it: such a name stands for the interpreter that starts the kernel
_OWN = re.compile(r"^python(3(\.\d+)?)?$")
_PATIENCE = 60.0  # s
LOOK_AGAIN = 10.0  # s
_one_at_a_time = threading.Lock()


def packages_of_late(kernel: str) -> tuple[str, str] | None:
    """As :func:`packages`, for those who ask again and again: looked at anew every few seconds."""
    return packages(kernel, str(int(time.monotonic() // LOOK_AGAIN)))


def packages(kernel: str, occasion: str) -> tuple[str, str] | None:
    """Package list of a kernel's own interpreter and a short hash of it; None for other languages.

    Args:
        kernel: name of its kernelspec.
        occasion: each, such as a sweep, looks once; packages are installed between them.
    """
    # whoever asks meanwhile asks the same: a process of its own would only make both wait longer
    with _one_at_a_time:
        return _packages(kernel, occasion)


@lru_cache(maxsize=32)
def _packages(kernel: str, occasion: str) -> tuple[str, str] | None:
    listed = list_packages(kernel)
    return None if listed is None else (listed, hashlib.sha256(listed.encode()).hexdigest()[:12])


def list_packages(kernel: str) -> str | None:
    """One line ``name==version`` for Python and each package of a kernel's own interpreter.

    Returns:
        None for kernels of other languages, and where the interpreter does not answer.
    """
    try:
        spec = KernelSpecManager().get_kernel_spec(kernel)
    except NoSuchKernel:
        return None
    if not spec.argv or "python" not in spec.argv[0]:
        return None
    program = sys.executable if _OWN.match(spec.argv[0]) else spec.argv[0]
    given = {name: os.path.expandvars(value) for name, value in spec.env.items()}
    try:
        done = subprocess.run(
            [program, "-c", _LIST],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
            env=os.environ | given,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
