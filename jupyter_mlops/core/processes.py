"""Starting this package's own processes independently of the environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping

LOOPBACK = ("localhost", "127.0.0.1", "::1")
# PYTHONWARNINGS=error is meant for users' code: here it would break imports of libraries that warn
PYTHON = (sys.executable, "-W", "default")


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
