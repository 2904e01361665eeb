"""A pipeline whose steps follow each other in one chain, each with next to nothing to do: what a step costs.

Measured from the end of one step to the end of the next, as the store has them, without what the cells took. A first,
short run has started workers, kernels and MLflow.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import psutil
from common import machine, parser, publish, table, write_notebook
from jupyter_client.kernelspec import KernelSpecManager
from kill_victims import HOST, MLFLOW, SERVICE, WORKER, alive, family, kill

from jupyter_mlops.core.pipelines.records import StepRun
from jupyter_mlops.core.pipelines.requests import PromoteRequest, RunRequest
from jupyter_mlops.core.runs import Run
from jupyter_mlops.core.states import PIPELINE_RUN_OVER
from jupyter_mlops.services.pipelines.requests import Pipelines
from jupyter_mlops.services.process.launch import ensure_service
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store

WANTED = 150.0  # ms a step over its cells
WARM = 5  # steps of the first run, and those of the measured one that do not count
PARTS = {
    "queue": "from its planning until a worker has it",
    "start": "until its kernel is ready",
    "cells": "its cells",
    "finish": "until its result is written",
}


class Place:
    """A service with pipelines in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        self.settings = MlopsSettings(data_dir=str(folder / "mlops"), local_slots=2)
        self.store = Store(self.settings.store_url)
        self.pipelines = Pipelines(self.store, self.settings)
        write_notebook(self.folder / "small.ipynb", "a = 1", "b = a + 1")

    def run(self, length: int) -> tuple[list[StepRun], list[Run]]:
        """Run a chain of so many steps; its steps, and the run of each one's notebook."""
        file = self.folder / f"chain-{length}.pipeline.yaml"
        file.write_text(_text(length), encoding="utf-8")
        specs = KernelSpecManager().get_all_specs()
        made = self.pipelines.promote(PromoteRequest(path=str(file)), specs)
        started = self.pipelines.start(made.pipeline.id, RunRequest())
        ensure_service(self.settings)
        while (run := self.store.pipeline_runs.get(started.id)).state not in PIPELINE_RUN_OVER:
            time.sleep(0.5)
        steps = self.store.pipeline_runs.steps(run.id)
        if run.state != "succeeded" or steps[-1].outputs != {"b": length + 1}:
            raise SystemExit(f"It is {run.state}: {run.message}")
        return steps, [self.store.runs.of_sweep(step.sweeps[-1])[0] for step in steps]

    def cpu(self) -> dict[str, float]:
        """CPU seconds used up to now, by kind of process; kernels count with their workers."""
        found = family(self.settings.data_path)
        used = {}
        for kind in (SERVICE, HOST, WORKER, MLFLOW):
            times = [process.cpu_times() for process in found[kind]]
            used[kind] = sum(one.user + one.system for one in times)
        return used

    def close(self) -> None:
        """End the service with all that it has started."""
        services = family(self.settings.data_path)[SERVICE]
        for process in services:
            process.terminate()
        psutil.wait_procs(services, timeout=30)
        kill(alive(family(self.settings.data_path)))
        self.store.close()


def _text(length: int) -> str:
    lines = ["steps:"]
    for number in range(length):
        value = f'"${{s{number - 1}.b}}"' if number else "1"
        lines.append(f"  s{number}: {{notebook: small.ipynb, parameters: {{a: {value}}}, outputs: [b]}}")
    return "\n".join(lines) + "\n"


def gaps(steps: list[StepRun]) -> list[float]:
    """Milliseconds from the end of each step to that of the next."""
    ends = [datetime.fromisoformat(step.ended_at or "") for step in steps]
    return [(after - before).total_seconds() * 1000 for before, after in pairwise(ends)]


def main() -> None:
    """Run, print."""
    options = parser(__doc__)
    options.add_argument("--steps", type=int, default=200)
    chosen = options.parse_args()
    where = machine()
    with tempfile.TemporaryDirectory(prefix="mlops-chain-") as made:
        place = Place(Path(made))
        try:
            place.run(WARM)
            before = place.cpu()
            steps, runs = place.run(chosen.steps)
            used = {kind: (after - before[kind]) / chosen.steps * 1000 for kind, after in place.cpu().items()}
        finally:
            place.close()
    took, timings = gaps(steps)[WARM:], [run.timing for run in runs[WARM + 1 :] if run.timing is not None]
    cells = statistics.mean(timing.cells for timing in timings) * 1000
    mean = statistics.mean(took)
    cost = mean - cells
    rows = [
        (
            *(f"{len(took)} of {chosen.steps}", f"{mean:.0f} ms", f"{statistics.median(took):.0f} ms"),
            *(f"{sorted(took)[int(0.95 * len(took))]:.0f} ms", f"{cells:.1f} ms", f"**{cost:.0f} ms**"),
            *(f"below {WANTED:g} ms", "yes" if cost < WANTED else "**no**"),
        )
    ]
    head = ("steps counted", "a step takes: mean", "median", "p95", "cells", "over its cells", "wanted", "met")
    text = table(head, rows)
    known = {name: statistics.mean(getattr(timing, name) for timing in timings) * 1000 for name in PARTS}
    parts = [(PARTS[name], f"{value:.1f} ms") for name, value in known.items()]
    parts.append(("between two notebooks: result, MLflow, the next step", f"{mean - sum(known.values()):.1f} ms"))
    text += "\n\n" + table(("where the time of a step goes", "mean"), parts)
    text += "\n\n" + table(("CPU a step", *used), [("", *(f"{value:.0f} ms" for value in used.values()))])
    publish("chain", text, where, write=chosen.write)
    if cost >= WANTED:
        print(f"More than {WANTED:g} ms.", file=sys.stderr)


if __name__ == "__main__":
    main()
