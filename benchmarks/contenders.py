"""Those who execute the same notebook many times: ours, the peers, and the floor.

All of them have the same two cores, the same interpreter for the cells, and the niceness that our kernels have:
whatever else the machine does meets them alike.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from common import ROOT, Server, server
from cpu import cpu_used
from peer_scheduler import scheduler_ends
from work import TRIVIAL, Work, cells_of

OURS_AFTER, PEERS_AFTER = 10, 2
AT_ONCE = 2
NICENESS = 10
LIVE = ("queued", "starting", "running")


@dataclass(frozen=True)
class Measured:
    """What one contender took for one work in one round.

    Attributes:
        each: seconds a run once it is in its stride: from the result ``after`` to the last.
        runs: how many there were.
        cpu: CPU seconds a run, by process; of the floor, its cells.
        note: how the kernels were made.
    """

    each: float
    runs: int
    after: int
    cpu: dict[str, float] = field(default_factory=dict)
    note: str = ""


def marginal(ends: list[float], after: int) -> float:
    """Seconds a run between the result ``after`` and the last."""
    ends = sorted(ends)
    return (ends[-1] - ends[after - 1]) / (len(ends) - after)


def speak(script: str, job: dict[str, Any]) -> dict[str, Any]:
    """Have one of the scripts beside this file do a job in a process of its own."""
    command = ["nice", "-n", str(NICENESS), sys.executable, "-W", "ignore", str(ROOT / "benchmarks" / script)]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stderr[-4000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


# -- peers ----------------------------------------------------------------------------------------


def papermill(kind: str, work: Work, runs: int) -> Measured:
    """papermill as it is, in a ``loop`` or as ``dask`` tasks."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = Path(folder, "notebook.ipynb")
        work.write(notebook)
        job = {"kind": kind, "notebook": str(notebook), "folder": folder, "at_once": AT_ONCE}
        answer = speak("peers.py", job | {"parameter": work.parameter, "values": work.values(runs)})
    return Measured(marginal(answer["ends"], PEERS_AFTER), runs, PEERS_AFTER)


def scheduler(work: Work, runs: int) -> Measured:
    """jupyter-scheduler through its REST API."""
    ends = scheduler_ends(work, work.values(runs), AT_ONCE, NICENESS)
    return Measured(marginal(ends, PEERS_AFTER), runs, PEERS_AFTER)


# -- the floor ------------------------------------------------------------------------------------


def floor(own: bool, work: Work, runs: int) -> Measured:
    """Fork after the imports, or after the cells that runs can share, and execute the (other) cells."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = Path(folder, "notebook.ipynb")
        work.write(notebook)
        job = asdict(cells_of(notebook, work.own if own else ""))
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    os.environ.update(threads, MPLBACKEND="Agg")
    try:
        values = {"parameter": work.parameter, "values": work.values(runs), "at_once": AT_ONCE}
        answer = speak("floor.py", job | values)
    finally:
        for name in (*threads, "MPLBACKEND"):
            del os.environ[name]
    cells = sum(answer["cpu"][OURS_AFTER:]) / (runs - OURS_AFTER)
    return Measured(marginal(answer["ends"], OURS_AFTER), runs, OURS_AFTER, {"cells": cells})


# -- ours -----------------------------------------------------------------------------------------


def start(running: Server, work: Work, runs: int, **fields: Any) -> str:
    """Ask for a sweep of a work; its id."""
    work.write(running.root / f"{work.name}.ipynb")
    request = {
        "path": f"{work.name}.ipynb",
        "space": {work.parameter: work.space(runs)},
        "metrics": [work.metric],
        **fields,
    }
    return str(running.post("/mlops/sweeps", request)["id"])


def wait_for(
    running: Server, sweep_id: str, done: Callable[[dict[str, Any]], bool] | None = None, pause: float = 0.5
) -> dict[str, Any]:
    """The sweep once it is over, or something is true of it."""
    while True:
        sweep: dict[str, Any] = running.get(f"/mlops/sweeps/{sweep_id}")
        if sweep["state"] not in LIVE or (done is not None and done(sweep)):
            return sweep
        time.sleep(pause)


def _tenth(sweep: dict[str, Any]) -> bool:
    return int(sweep["counts"].get("succeeded", 0)) >= OURS_AFTER


def runs_of(running: Server, sweep_id: str) -> list[dict[str, Any]]:
    """The runs of a sweep that is over; one that failed, or that MLflow was not told of, is an error."""
    sweep = wait_for(running, sweep_id)
    runs: list[dict[str, Any]] = running.get(f"/mlops/sweeps/{sweep_id}/runs")["runs"]
    well = sum(run["state"] == "succeeded" and run["tracked"] and bool(run["metrics"]) for run in runs)
    if sweep["state"] != "succeeded" or not well == len(runs) == sweep["total"]:
        raise SystemExit(
            f"The sweep is {sweep['state']}, {well} of {sweep['total']} runs are done and in MLflow: {sweep['message']}"
        )
    return runs


def make_ready(running: Server) -> None:
    """A small sweep, so that service, workers and MLflow live before anything is measured."""
    runs_of(running, start(running, TRIVIAL, 4))
    while running.get("/mlops/status")["service"]["mlflow"] == "starting":
        time.sleep(0.2)


def measured_sweep(running: Server, work: Work, runs: int, **fields: Any) -> Measured:
    """One sweep on a server where all is ready."""
    sweep_id = start(running, work, runs, **fields)
    begun = wait_for(running, sweep_id, _tenth, pause=0.05)
    before = cpu_used(running)
    wait_for(running, sweep_id)
    used = cpu_used(running) - before
    done = runs_of(running, sweep_id)
    rest = runs - begun["counts"]["succeeded"]
    if rest < 1:
        raise SystemExit(f"{runs} runs of {work.name} were over before they could be measured; take more.")
    ends = [datetime.fromisoformat(run["ended_at"]).timestamp() for run in done]
    return Measured(
        marginal(ends, OURS_AFTER),
        runs,
        OURS_AFTER,
        {kind: seconds / rest for kind, seconds in used.items()},
        _how(running, done, running.get(f"/mlops/sweeps/{sweep_id}")["prefix"]),
    )


def _how(running: Server, runs: list[dict[str, Any]], prefix: int) -> str:
    made = Counter(run["kernel_start"] or "unknown" for run in runs)
    parts = [f"{count} {how}" for how, count in made.most_common()]
    details = [running.get(f"/mlops/runs/{run['id']}") for run in runs]
    reasons = Counter(run["kernel_reason"] for run in details if run["kernel_reason"])
    parts += [f"“{reason}”" for reason, _ in reasons.most_common(1)]
    return ", ".join(parts) + (f"; cells before cell {prefix} of the notebook shared" if made["shared"] else "")


def ours(kernel_start: str, shared: bool, work: Work, runs: int) -> Measured:
    """A sweep, with its store and MLflow, as everybody has it."""
    with server(settings={"kernel_start": kernel_start, "local_slots": AT_ONCE}) as running:
        running.wait()
        make_ready(running)
        fields = {"shared_prefix": True} if shared else {}
        return measured_sweep(running, work, runs, **fields)
