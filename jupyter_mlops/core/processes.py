"""Starting this package's own processes independently of the environment."""

from __future__ import annotations

import functools
import hashlib
import re
import sys
from collections.abc import Mapping
from pathlib import Path

LOOPBACK = ("localhost", "127.0.0.1", "::1")
# PYTHONWARNINGS=error is meant for users' code: here it would break imports of libraries that warn
PYTHON = (sys.executable, "-W", "default")


def build_on_disk() -> str:
    """The build that a process started now would have: the version, and a digest of the package's source."""
    package, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    # not the one in memory: this process may be of the build before
    version = re.findall(r'^__version__ = "(.+)"', (package / "__init__.py").read_text(encoding="utf-8"), re.MULTILINE)
    return f"{version[0]}+{digest.hexdigest()[:12]}"


@functools.cache
def own_build() -> str:
    """The build of this process; to be asked for first as it starts."""
    return build_on_disk()


def is_same_build(one: str, other: str) -> bool:
    """Whether two builds have the same source; the empty one is that of a release that named none."""
    return one.partition("+")[2] == other.partition("+")[2]


def proxy_bypass(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that exempt this machine from a configured proxy; none without a proxy."""
    proxies = [name for name in environ if name.lower().endswith("_proxy") and name.lower() != "no_proxy"]
    known = environ.get("no_proxy") or environ.get("NO_PROXY", "")
    if not proxies or known.strip() == "*":
        return {}
    hosts = [host.strip() for host in known.split(",") if host.strip()]
    value = ",".join([*hosts, *(host for host in LOOPBACK if host not in hosts)])
    # programs differ in which one they read
    return {"no_proxy": value, "NO_PROXY": value}
