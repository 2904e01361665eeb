"""What it costs that logged metrics are followed: each call against plain MLflow, and what 100,000 points become.

The same notebook logs to a real MLflow server, executed by a worker with and without the probe, alternating. Then one
batch after another is logged to a database, as fast as MLflow takes them, and the worker's events are counted.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from common import ROOT, machine, parser, publish, table, write_notebook

from jupyter_mlops.core.runs import RunSpec
from jupyter_mlops.worker import run_attempt
from jupyter_mlops.worker.kernel.environment import WATCHES_MLFLOW

sys.path.insert(0, str(ROOT / "tests"))
from mlflow_helpers import MlflowServer

CALLS = 200
POINTS = 100_000
REPEATS = 2
PLAIN = f"""
import mlflow, os, time
mlflow.set_tracking_uri(os.environ["ADDRESS"])
run = mlflow.start_run()
mlflow.log_metric("loss", 0, step=0)
begun = time.process_time()
for step in range({CALLS}):
    mlflow.log_metric("loss", step, step=step)
took = (time.process_time() - begun) / {CALLS}
"""
BATCHES = f"""
import mlflow, os, time
mlflow.set_tracking_uri(os.environ["ADDRESS"])
run, client = mlflow.start_run(), mlflow.MlflowClient()
begun = time.process_time()
for first in range(0, {POINTS}, 1_000):
    client.log_batch(run.info.run_id, [mlflow.entities.Metric("loss", n, n, n) for n in range(first, first + 1_000)])
took = (time.process_time() - begun) / {POINTS}
"""


def execute(folder: Path, code: str, address: str, watched: bool, events: list[dict[str, Any]]) -> tuple[float, int]:
    """CPU seconds a point takes in the kernel, and bytes of the curves in the result."""
    name = f"{len(list(folder.iterdir()))}"
    write_notebook(folder / f"{name}.ipynb", "x = 1", code)
    spec = RunSpec(
        run_id=name,
        sweep_id="s",
        index=0,
        attempt=1,
        notebook=str(folder / f"{name}.ipynb"),
        folder=str(folder),
        directory=str(folder / "runs" / name),
        kernel="python3",
        metrics=["took"],
        kernel_start="fresh",
        env={"ADDRESS": address, **({WATCHES_MLFLOW: ""} if watched else {})},
    )
    result = run_attempt(spec, events.append)
    assert result.error is None, result.error
    return result.metrics["took"], len(msgspec.json.encode(result.curves))


def main() -> None:
    """Print the table."""
    options = parser(__doc__).parse_args()
    where, rows = machine(), []
    with tempfile.TemporaryDirectory(prefix="mlops-benchmark-") as name:
        folder = Path(name)
        server = MlflowServer(folder / "server")
        server.start()
        try:
            for what, code, address in (
                ("log_metric, to a server", PLAIN, server.uri),
                ("log_batch of 1,000, to a database", BATCHES, f"sqlite:///{folder / 'own.sqlite'}"),
            ):
                (folder / "work").mkdir(exist_ok=True)
                took: dict[bool, list[float]] = {True: [], False: []}
                events: list[dict[str, Any]] = []
                size = 0
                for _ in range(REPEATS):
                    for watched in (False, True):
                        events.clear()
                        seconds, size = execute(folder / "work", code, address, watched, events)
                        took[watched].append(seconds)
                sent = [event for event in events if event["kind"] == "metric"]
                plain, ours = (statistics.median(took[watched]) for watched in (False, True))
                rows.append(
                    (
                        what,
                        f"{plain * 1e6:.0f} µs",
                        f"{ours * 1e6:.0f} µs",
                        f"{ours / plain:.2f}",
                        len(sent),
                        f"{len(msgspec.json.encode(sent)) / 1e3:.0f} kB",
                        f"{size / 1e3:.0f} kB",
                    )
                )
        finally:
            server.kill()
    head = ("", "kernel's CPU a point, plain", "followed", "ratio", "events", "in all", "curve kept")
    publish("curves", table(head, rows), where, write=options.write)


if __name__ == "__main__":
    main()
