"""How this package's own processes are started, whatever the environment says."""

from __future__ import annotations

import sys
from collections.abc import Mapping

LOOPBACK = ("localhost", "127.0.0.1", "::1")
# PYTHONWARNINGS=error is meant for a person's own code: no library that warns as it is imported would start here
PYTHON = (sys.executable, "-W", "default")


def proxy_bypass(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables by which programs reach servers on this machine directly where a proxy is set; else none."""
    proxies = [name for name in environ if name.lower().endswith("_proxy") and name.lower() != "no_proxy"]
    known = environ.get("no_proxy") or environ.get("NO_PROXY", "")
    if not proxies or known.strip() == "*":
        return {}
    hosts = [host.strip() for host in known.split(",") if host.strip()]
    value = ",".join([*hosts, *(host for host in LOOPBACK if host not in hosts)])
    # some programs read only the one, some the other
    return {"no_proxy": value, "NO_PROXY": value}
