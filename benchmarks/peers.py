"""papermill without us, in a process of its own: a loop, or plain Dask tasks.

Speaks JSON: a job on standard input (``kind``, ``notebook``, ``folder``, ``parameter``, ``values``, ``at_once``),
the time of each result on standard output.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def loop(job: dict[str, Any]) -> list[float]:
    """One after another."""
    import papermill

    ends = []
    for number, value in enumerate(job["values"]):
        output = f"{job['folder']}/{number}.ipynb"
        papermill.execute_notebook(job["notebook"], output, {job["parameter"]: value}, progress_bar=False)
        ends.append(time.perf_counter())
    return ends


def dask(job: dict[str, Any]) -> list[float]:
    """``papermill.execute_notebook`` as tasks of a local cluster, one thread a process."""
    import papermill
    from distributed import Client, LocalCluster, as_completed

    with (
        LocalCluster(n_workers=job["at_once"], threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        futures = [
            client.submit(
                papermill.execute_notebook,
                job["notebook"],
                f"{job['folder']}/{number}.ipynb",
                {job["parameter"]: value},
                progress_bar=False,
                pure=False,
            )
            for number, value in enumerate(job["values"])
        ]
        ends = []
        for future in as_completed(futures):
            if future.status != "finished":
                raise SystemExit(f"A run of the peer failed: {future.exception()}")
            ends.append(time.perf_counter())
        return ends


def main() -> None:
    """Do a job."""
    job = json.load(sys.stdin)
    print("\n" + json.dumps({"ends": {"loop": loop, "dask": dask}[job["kind"]](job)}))


if __name__ == "__main__":
    main()
