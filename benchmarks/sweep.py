"""A long sweep of trivial runs, seen from a client of the Jupyter server.

While the sweep goes on, a client asks for one thing after another, as an open page does and more often.
The peer is papermill's own loop over the same notebook, half of it before and half after a short sweep that
nobody watches. It is niced as our kernels are: else what others do on the machine would meet only one of the two.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from common import Server, machine, memory_of, parser, publish, server, table, write_notebook

SOURCES = ("a = 1", "b = a * 2", "total = sum(range(b))", "score = total / (a + 1)")
PAUSE = 0.02
IDLE_ROUNDS = 50
_PAPERMILL = """
import os, sys, time
import papermill
os.nice(10)
folder, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
begun = time.perf_counter()
for a in range(first, first + count):
    papermill.execute_notebook(f"{folder}/trivial.ipynb", f"{folder}/{a}.ipynb", {"a": a}, progress_bar=False)
print(time.perf_counter() - begun)
"""


@dataclass
class Client:
    """Asks for one thing after another and notes how long each answer took.

    Attributes:
        taken: milliseconds by what was asked.
        since: the last revision seen, as a page knows it; ``runs_since`` of the open sweep's runs.
    """

    server: Server
    taken: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    since: int = 0
    runs_since: int = 0

    def ask(self, name: str, path: str) -> Any:
        """Ask, note, rest a little."""
        begun = time.perf_counter()
        answer = self.server.get(path)
        self.taken[name].append((time.perf_counter() - begun) * 1000)
        time.sleep(PAUSE)
        return answer

    def round(self, sweep_id: str) -> Any:
        """Everything once; returns the sweep."""
        changes = self.ask("/mlops/changes?since=…", f"/mlops/changes?since={self.since}")
        self.since = changes["revision"]
        page = self.ask("/mlops/sweeps/…/runs?since=…", f"/mlops/sweeps/{sweep_id}/runs?since={self.runs_since}")
        self.runs_since = page["revision"]
        self.ask("/api/status", "/api/status")
        self.ask("/mlops/status", "/mlops/status")
        self.ask("/mlops/notebook", "/mlops/notebook?path=trivial.ipynb")
        self.ask("/mlops/sweeps/…/runs (all)", f"/mlops/sweeps/{sweep_id}/runs")
        self.ask("/api/contents", "/api/contents/trivial.ipynb")
        return self.ask("/mlops/sweeps/…", f"/mlops/sweeps/{sweep_id}")


def papermill_loop(first: int, count: int) -> float:
    """Seconds that papermill takes for some runs, one after another; its import is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        write_notebook(Path(folder, "trivial.ipynb"), *SOURCES)
        command = [sys.executable, "-W", "ignore", "-c", _PAPERMILL, folder, str(first), str(count)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def start_sweep(running: Server, runs: int) -> str:
    """Ask for the sweep; returns its id."""
    request = {"path": "trivial.ipynb", "space": {"a": f"1:{runs}"}, "metrics": ["score"]}
    return str(running.post("/mlops/sweeps", request)["id"])


def unwatched(running: Server, runs: int) -> tuple[str, float]:
    """A sweep that is only asked for its end now and then: its id, and its seconds."""
    sweep_id = start_sweep(running, runs)
    while running.get(f"/mlops/sweeps/{sweep_id}")["state"] in ("queued", "starting", "running"):
        time.sleep(0.5)
    return sweep_id, seconds_of(running, sweep_id)


def warm_up(running: Server) -> str:
    """A small sweep first, so that service, workers and MLflow live; returns its id."""
    sweep_id, _ = unwatched(running, 4)
    while running.get("/mlops/status")["service"]["mlflow"] == "starting":
        time.sleep(0.5)
    return sweep_id


def behind(running: Server) -> dict[str, psutil.Process]:
    """The service, and MLflow's server."""
    service = psutil.Process(running.get("/mlops/status")["service"]["pid"])
    family = service.children(recursive=True)
    mlflow = [process for process in family if "jupyter_mlops.tracking.server.app" in process.cmdline()]
    return {"service": service, **({"MLflow, embedded": mlflow[0]} if mlflow else {})}


def latency_row(name: str, values: list[float]) -> tuple[str, ...]:
    """Of a table of latencies."""
    cut = statistics.quantiles(values, n=100, method="inclusive")
    return (name, f"{len(values)}", f"{cut[49]:.1f} ms", f"{cut[98]:.1f} ms", f"{max(values):.1f} ms")


def watch(running: Server, client: Client, sweep_id: str) -> float:
    """Ask until the sweep is over; its seconds."""
    while (sweep := client.round(sweep_id))["state"] in ("queued", "starting", "running"):
        if sys.stderr.isatty():
            print(f"\r{sweep['counts'].get('succeeded', 0)} of {sweep['total']} ", end="", file=sys.stderr, flush=True)
    return seconds_of(running, sweep_id)


def seconds_of(running: Server, sweep_id: str) -> float:
    """From the start of its first run to the end of its last; a run that did not succeed is an error."""
    sweep = running.get(f"/mlops/sweeps/{sweep_id}")
    runs = running.get(f"/mlops/sweeps/{sweep_id}/runs")["runs"]
    done = sum(run["state"] == "succeeded" and "score" in run["metrics"] for run in runs)
    if sweep["state"] != "succeeded" or not done == len(runs) == sweep["total"]:
        raise SystemExit(
            f"The sweep is {sweep['state']}, {done} of {sweep['total']} runs succeeded: {sweep['message']}"
        )
    begun = min(datetime.fromisoformat(run["started_at"]) for run in runs)
    return (max(datetime.fromisoformat(run["ended_at"]) for run in runs) - begun).total_seconds()


def main() -> None:
    """Measure, print."""
    options = parser(__doc__)
    options.add_argument("--runs", type=int, default=1000)
    options.add_argument("--alone", type=int, default=40, help="runs of the sweep that nobody watches")
    options.add_argument("--peer", type=int, default=12, help="runs of papermill's own loop")
    chosen = options.parse_args()
    where = machine()
    half = chosen.peer // 2
    with server() as running:
        running.wait()
        write_notebook(running.root / "trivial.ipynb", *SOURCES)
        idle = Client(running)
        small = warm_up(running)
        for _ in range(IDLE_ROUNDS):
            idle.round(small)
        peer = papermill_loop(0, half)
        _, alone = unwatched(running, chosen.alone)
        peer += papermill_loop(half, chosen.peer - half)
        processes = {"Jupyter server": running.process, **behind(running)}
        before = {name: memory_of([process]) for name, process in processes.items()}
        client = Client(running)
        sweep_id = start_sweep(running, chosen.runs)
        seconds = watch(running, client, sweep_id)
        after = {name: memory_of([process]) for name, process in processes.items()}
        modules = running.modules()
        slots = running.get(f"/mlops/sweeps/{sweep_id}")["slots_open"]

    rate, peer_rate = chosen.alone / alone, chosen.peer / peer
    rows = [latency_row(name, values) for name, values in sorted(client.taken.items())]
    rows.append(latency_row("**any**", [value for values in client.taken.values() for value in values]))
    rows.append(latency_row("any, while nothing runs", [value for values in idle.taken.values() for value in values]))
    text = table((f"while {chosen.runs:,} runs go on", "requests", "p50", "p99", "most"), rows)
    sizes = [
        (name, *(f"{megabytes:.0f} MB" for pair in zip(before[name], after[name], strict=True) for megabytes in pair))
        for name in processes
    ]
    text += "\n\n" + table(("memory", "PSS before", "PSS after", "RSS before", "RSS after"), sizes)
    text += f"\n\nImported by the server by then: {', '.join(modules) or 'nothing heavy'}.\n\n"
    text += table(
        ("trivial runs, four cells", "runs", "seconds", "runs a second"),
        [
            (f"sweep, {slots} slots", chosen.alone, f"{alone:.1f}", f"{rate:.2f}"),
            ("papermill's own loop, just before and after", chosen.peer, f"{peer:.1f}", f"{peer_rate:.2f}"),
            ("**ratio**", "", "", f"**{rate / peer_rate:.1f}**"),
            ("the sweep that was watched", chosen.runs, f"{seconds:.1f}", f"{chosen.runs / seconds:.2f}"),
        ],
    )
    publish("sweep", text, where, write=chosen.write)


if __name__ == "__main__":
    main()
