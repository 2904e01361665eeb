"""The process that holds this machine's Dask cluster.

It has its own session and outlives the service, so that runs go on while a new service starts. It uses TLS with
temporary keys in a private file, because anyone who can connect to a Dask scheduler can run code as its owner. It
ends on request, or when it is idle and has had no heartbeat for a while.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pkgutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.processes import own_build
from ..private import write_private

if TYPE_CHECKING:
    from .host_target import HostTarget

_SECURITY = (
    "tls_ca_file",
    "tls_client_cert",
    "tls_client_key",
    "tls_scheduler_cert",
    "tls_scheduler_key",
    "tls_worker_cert",
    "tls_worker_key",
)
POLL_SECONDS = 0.5
_PRELOAD = "jupyter_mlops.compute.host_process"  # this module; where it is run it has another name


def dask_setup(server: Any) -> None:
    """Dask's preload hook for scheduler and workers: stop the HTTP server, which every local user could reach.

    Dask starts it even without a dashboard.
    """
    server.services.pop("dashboard").stop()


async def serve(kind: type[HostTarget], file: Path, workers: int, grace: float, per_worker: int) -> None:
    """Run the cluster until it is idle and unused.

    Args:
        file: takes address and keys; the service writes its requests to the file with suffix ``.wish``.
        workers: how many there are at first.
        grace: seconds without heartbeat after which an idle host ends itself.
        per_worker: slots of each worker.
        per_worker: parallel runs in each worker process.
    """
    import dask
    from distributed import Security

    dask.config.set(
        {
            # attempts are counted above Dask, so Dask must not repeat a dead worker's task
            "distributed.scheduler.allowed-failures": 0,
            "distributed.admin.event-loop": "asyncio",
            # unused, and costs about 100 kB per second
            "distributed.worker.profile.enabled": False,
            # there is no dashboard that needs it every 20 ms
            "distributed.admin.tick.interval": "500ms",
            "distributed.admin.system-monitor.interval": "5s",
            "distributed.scheduler.work-stealing": False,
            "distributed.scheduler.http.routes": [],
            "distributed.worker.http.routes": [],
            "distributed.scheduler.preload": [*dask.config.get("distributed.scheduler.preload"), _PRELOAD],
            "distributed.worker.preload": [*dask.config.get("distributed.worker.preload"), _PRELOAD],
        }
    )
    security = Security.temporary()
    cluster = await kind.make_cluster(workers, _options(security, per_worker))
    try:
        values = {name: getattr(security, name) for name in _SECURITY}
        address = cluster.scheduler_address
        write_private(
            file,
            {
                "pid": os.getpid(),
                "build": own_build(),
                "address": address,
                "slots": len(cluster.worker_spec) * per_worker,
                "security": values,
            },
        )
        await _until_unwanted(kind, cluster, file.with_suffix(".wish"), grace)
    finally:
        file.unlink(missing_ok=True)
        await cluster.close()


def _options(security: Any, per_worker: int) -> dict[str, Any]:
    """What all clusters are made with."""
    return {
        "threads_per_worker": per_worker,
        # Dask's default port may be taken by another cluster; see dask_setup
        "dashboard_address": "127.0.0.1:0",
        "scheduler_kwargs": {"dashboard": False},
        "security": security,
        "asynchronous": True,
        "silence_logs": 30,
        "protocol": "tls",
    }


async def _until_unwanted(kind: type[HostTarget], cluster: Any, wish: Path, grace: float) -> None:
    beat, heard = None, time.monotonic()
    while True:
        await asyncio.sleep(POLL_SECONDS)
        wanted = json.loads(wish.read_text(encoding="utf-8")) if wish.exists() else {}
        if wanted.get("close") == os.getpid():
            return
        if wanted.get("beat") != beat:
            beat, heard = wanted.get("beat"), time.monotonic()
        if kind.grows and wanted.get("slots", 0) > len(cluster.worker_spec):
            cluster.scale(wanted["slots"])
        working = any(task.state == "processing" for task in cluster.scheduler.tasks.values())
        if not working and time.monotonic() - heard > grace:
            return


def main(arguments: list[str]) -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", type=pkgutil.resolve_name)
    parser.add_argument("file", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--grace", type=float, default=60.0)
    parser.add_argument("--per-worker", type=int, default=1)
    options = parser.parse_args(arguments)
    own_build()
    asyncio.run(serve(options.kind, options.file, options.workers, options.grace, options.per_worker))


if __name__ == "__main__":
    main(sys.argv[1:])
