"""What a sweep learns from each run that ends."""

from __future__ import annotations

from typing import Any

from ...core.record import seconds_between
from ...core.runs import Run
from ...core.states import RunState
from ...core.sweeps import Sweep
from .requests import best_run


def measured(sweep: Sweep, run: Run) -> dict[str, Any]:
    """The sweep's fields on what a run costs, with one more that succeeded."""
    fields: dict[str, Any] = {"run_memory": max(sweep.run_memory or 0, run.peak_memory or 0) or None}
    if run.started_at and run.ended_at:
        took = seconds_between(run.started_at, run.ended_at)
        mean = took if sweep.run_seconds is None else sweep.run_seconds
        fields["run_seconds"] = mean + (took - mean) / max(1, sweep.counts.get(RunState.SUCCEEDED, 1))
    return fields


def better(sweep: Sweep, run: Run) -> dict[str, Any]:
    """The sweep's fields on its best run, where this one is."""
    if sweep.objective is None:
        return {}
    run_id, value = best_run([run], sweep.objective)
    if value is None:
        return {}
    larger = sweep.best_value is None or value > sweep.best_value
    if sweep.best_value is not None and larger != (sweep.objective.direction == "maximize"):
        return {}
    return {"best_run_id": run_id, "best_value": value}


def slots_by_memory(running: int, free: int, run_memory: int) -> int:
    """Runs at once that memory allows: those running, and as many more as fit; never less than one.

    Args:
        running: how many run now.
        free: bytes that are left beside them.
        run_memory: bytes that one run takes.
    """
    return max(1, running + free // run_memory)
