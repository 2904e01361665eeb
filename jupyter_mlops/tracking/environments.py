"""Which packages a kernel's environment holds."""

from __future__ import annotations

import hashlib
import subprocess
from functools import lru_cache

from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

_LIST = """
import importlib.metadata as m, sys
names = {d.metadata["Name"] + "==" + d.version for d in m.distributions() if d.metadata["Name"]}
print("python==" + sys.version.split()[0])
print("\\n".join(sorted(names, key=str.lower)))
"""


@lru_cache(maxsize=32)
def packages(kernel: str, sweep_id: str) -> tuple[str, str] | None:
    """Package list of a kernel's own interpreter and a short hash of it; None for other languages.

    Args:
        kernel: name of its kernelspec.
        sweep_id: each sweep looks once; packages are installed between sweeps.
    """
    try:
        argv = KernelSpecManager().get_kernel_spec(kernel).argv
    except NoSuchKernel:
        return None
    if not argv or "python" not in argv[0]:
        return None
    done = subprocess.run([argv[0], "-c", _LIST], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        return None
    return done.stdout, hashlib.sha256(done.stdout.encode()).hexdigest()[:12]
