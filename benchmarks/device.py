"""Runs of a small torch notebook that share one NVIDIA device, beside papermill's loop."""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import datetime
from importlib.util import find_spec
from typing import Any

from common import machine, publish, server, table
from contenders import Measured, make_ready, marginal, papermill, runs_of, start
from work import Work, on_device

RUNS = 32
AFTER = 2
ROWS, WIDTH, STEPS = 20_000, 256, 300


def device_name() -> str:
    """What torch calls the first device it sees."""
    if find_spec("torch") is None:
        raise SystemExit("torch is not installed here; install it to measure with it.")
    code = "import torch; print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else '')"
    name = subprocess.check_output([sys.executable, "-W", "ignore", "-c", code], text=True).strip()
    if not name:
        raise SystemExit("torch finds no NVIDIA device here.")
    return name


def _sweep(work: Work, kernel_start: str, at_once: int) -> tuple[float, Measured]:
    with server(settings={"kernel_start": kernel_start, "local_slots": at_once}) as running:
        running.wait()
        make_ready(running)
        done: list[dict[str, Any]] = runs_of(running, start(running, work, RUNS))
    begun = min(datetime.fromisoformat(run["started_at"]).timestamp() for run in done)
    ends = [datetime.fromisoformat(run["ended_at"]).timestamp() for run in done]
    made = {run["kernel_start"]: run["kernel_reason"] for run in done}
    note = ", ".join(f"{how} “{why}”" if why else how for how, why in made.items())
    return max(ends) - begun, Measured(marginal(ends, AFTER), RUNS, AFTER, note=note)


def device(chosen: argparse.Namespace) -> None:
    """Measure, print."""
    name = device_name()
    where = machine()
    work = on_device(ROWS, WIDTH, STEPS)
    peer = papermill("loop", work, RUNS)
    rows = [("papermill loop", 1, "", f"{peer.each:.2f} s", "1.0", "")]
    for kernel_start, at_once in [("fresh", 1), *(("auto", at_once) for at_once in chosen.at_once)]:
        seconds, one = _sweep(work, kernel_start, at_once)
        called = "ours, fresh kernels" if kernel_start == "fresh" else "**ours, warm**"
        rows.append((called, at_once, f"{seconds:.1f} s", f"{one.each:.2f} s", f"{peer.each / one.each:.1f}", one.note))
        print(f"{called}, {at_once} at once: {one.each:.2f} s a run", file=sys.stderr)
    head = (f"{RUNS} runs on {name}", "at once", "all together", "a run takes", "against papermill", "kernels")
    publish("gpu", table(head, rows), where, write=chosen.write)
