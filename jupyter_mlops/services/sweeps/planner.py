"""Planning of a sweep's runs, and evaluation of their results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...core.curves import Point
from ...core.notebook.reading import inspect, read_notebook
from ...core.record import seconds_between
from ...core.runs import Run
from ...core.search.samplers import make_study
from ...core.search.space import build_space
from ...core.search.study import PruningStudy, Report, Study, Trial
from ...core.states import RUN_OVER, RunState
from ...core.sweeps import Objective, Sweep
from ...settings import MlopsSettings
from ...store import Store


def study_of(store: Store, settings: MlopsSettings, sweep: Sweep, total: int = 0) -> Study:
    """Rebuild the study of a stored sweep from its runs.

    Args:
        total: runs to allow, if more than the sweep has.

    Raises:
        InvalidInputError: its space or sampler cannot be used here.
    """
    info = inspect(read_notebook(store.sweeps.notebook(sweep.id)), sweep.path)
    space = build_space(sweep.space, info, sweep.sampler, max(sweep.total, total, settings.max_runs))
    return make_study(
        space,
        sweep.sampler,
        sweep.objectives,
        asked=sweep.planned,
        trials=lambda: (trial_of(run, sweep.objectives) for run in store.runs.of_sweep(sweep.id)),
    )


def trial_of(run: Run, objectives: Sequence[Objective]) -> Trial:
    """A run as the study's trial."""
    values = [run.metrics.get(objective.metric, math.nan) for objective in objectives]
    known = run.state is RunState.SUCCEEDED and values and all(map(math.isfinite, values))
    return Trial(number=run.index, parameters=run.parameters, state=run.state, values=values if known else None)


def prunes(study: Study, objectives: Sequence[Objective], run: Run, metric: str, points: list[Point]) -> bool:
    """Report what a run logged to a study that prunes; whether it ends the run."""
    if not isinstance(study, PruningStudy) or not any(objective.metric == metric for objective in objectives):
        return False
    return study.report(Report(number=run.index, attempt=run.attempt, metric=metric, points=points))


def report_ended(store: Store, sweep: Sweep, study: Study) -> None:
    """Tell a new study that prunes what the sweep's finished runs logged. Blocks."""
    if isinstance(study, PruningStudy):
        for run in store.runs.of_sweep(sweep.id, states=RUN_OVER):
            for curve in store.curves.of_run(run.id, run.attempt):
                prunes(study, sweep.objectives, run, curve.name, curve.points)


def measured(sweep: Sweep, run: Run) -> dict[str, Any]:
    """The sweep's memory and duration estimates, updated with one more successful run."""
    fields: dict[str, Any] = {"run_memory": max(sweep.run_memory or 0, run.peak_memory or 0) or None}
    if run.started_at and run.ended_at:
        took = seconds_between(run.started_at, run.ended_at)
        mean = took if sweep.run_seconds is None else sweep.run_seconds
        fields["run_seconds"] = mean + (took - mean) / max(1, sweep.counts.get(RunState.SUCCEEDED, 1))
    return fields


def better(sweep: Sweep, run: Run) -> dict[str, Any]:
    """The sweep's best-run fields if this run is the best so far, else nothing."""
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
    """How many parallel runs fit into memory, at least one.

    Args:
        running: number of running runs.
        free: bytes of free memory.
        run_memory: bytes that one run needs.
    """
    return max(1, running + free // run_memory)


def best_run(runs: list[Run], objective: Any) -> tuple[str | None, float | None]:
    """Id and value of the best successful run, (None, None) if there is none."""
    values = [
        (run.metrics[objective.metric], run.id)
        for run in runs
        if run.state is RunState.SUCCEEDED and objective.metric in run.metrics
    ]
    if not values:
        return None, None
    value, run_id = (max if objective.direction == "maximize" else min)(values, key=lambda pair: pair[0])
    return run_id, value
