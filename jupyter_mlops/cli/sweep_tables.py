"""What a person reads of sweeps and their runs: tables, details, and the last word."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.runs import Run, Timing
from ..core.states import RUN_OVER, RunState
from ..core.sweeps import PrefixCheck, Sweep
from ..services.process.layout import Layout
from .output import (
    SHORT,
    count_text,
    dim,
    duration_text,
    first_line,
    new_details,
    new_table,
    size_text,
    state_cell,
    time_rows,
    took,
    value_text,
    when_text,
)

if TYPE_CHECKING:
    from rich.table import Table

_MOST_METRICS = 6
_MOST_ERRORS = 5


def short_id(record: Sweep | Run) -> str:
    """What a person types to name it."""
    return record.id[:SHORT] if isinstance(record, Sweep) else f"{record.sweep_id[:SHORT]}-{record.index + 1}"


def timing_text(timing: Timing | None) -> str:
    """``queue 0.1 s, start 0.02 s, cells 12 s, finish 0.05 s``; empty for None."""
    if timing is None:
        return ""
    parts = [(name, getattr(timing, name)) for name in timing.__struct_fields__]
    # short ones are what a person looks for here
    return ", ".join(f"{name} {f'{took:.2g} s' if took < 1 else duration_text(took)}" for name, took in parts)


def kernel_text(run: Run) -> str:
    """``warm``, or how else its kernel was made and why not faster; empty while that is not known."""
    return f"{run.kernel_start}: {run.kernel_reason}" if run.kernel_reason else run.kernel_start


def shared_cells(prefix: PrefixCheck) -> list[str]:
    """Lines that tell a person which cells a sweep shares."""
    count = len(prefix.cells)
    cells = "The first code cell runs" if count == 1 else f"The first {count} code cells run"
    return [
        f"{cells} once a slot, not in each run:",
        *(f"  {first_line(line)}" for line in prefix.cells),
        prefix.reason,
    ]


def finished(sweep: Sweep) -> int:
    """How many of its runs came to an end of their own; those that were stopped did not."""
    return sum(sweep.counts.get(state, 0) for state in RUN_OVER - {RunState.STOPPED})


def state_text(record: Sweep | Run) -> str:
    """Its state, and why it is in it where that says more."""
    message = "" if isinstance(record, Run) and record.error else record.message
    return record.state if message.lower() in ("", record.state) else f"{record.state} — {message}"


def best_text(sweep: Sweep) -> str:
    """``auc 0.93``; empty where there is no best run."""
    if sweep.objective is None or sweep.best_value is None:
        return ""
    return f"{sweep.objective.metric} {value_text(sweep.best_value)}"


def sweeps_table(sweeps: list[Sweep]) -> Table:
    """Sweeps, one a row."""
    table = new_table("sweep", "name", "state", "runs", "best", "created", "notebook")
    for sweep in sweeps:
        table.add_row(
            short_id(sweep),
            sweep.name,
            state_cell(sweep.state),
            f"{finished(sweep)}/{sweep.total}",
            best_text(sweep),
            when_text(sweep.created_at),
            Path(sweep.path).name,
        )
    return table


def never_started(runs: list[Run]) -> list[Run]:
    """Those that were stopped before they started."""
    return [run for run in runs if run.state is RunState.STOPPED and run.started_at is None]


def runs_table(sweep: Sweep, runs: list[Run]) -> Table:
    """Runs, one a row, with the parameters that differ; those that never started are one row, the last."""
    never = never_started(runs)
    if len(never) > 1:
        ids = {run.id for run in never}
        runs = [run for run in runs if run.id not in ids]
    metrics = _metric_names(sweep, runs)
    failed = any(run.message for run in (*runs, *never))
    table = new_table("run", "state", *sweep.varied, *metrics, "took", *(["message"] if failed else []))
    for run in runs:
        best = run.id == sweep.best_run_id
        table.add_row(
            short_id(run),
            state_cell(run.state),
            *(value_text(run.parameters[name]) if name in run.parameters else "" for name in sweep.varied),
            *(_metric_text(run, name) for name in metrics),
            duration_text(took(run.started_at, run.ended_at)),
            *([first_line(run.message)] if failed else []),
            style="bold" if best else "",
        )
    if len(never) > 1:
        empty = [""] * (len(sweep.varied) + len(metrics) + 1)
        table.add_row(count_text(len(never)), state_cell(RunState.STOPPED), *empty, first_line(never[0].message))
    return table


def _metric_text(run: Run, name: str) -> str:
    return value_text(run.metrics[name]) if name in run.metrics else run.not_finite.get(name, "")


def best_first(sweep: Sweep, runs: list[Run]) -> list[Run]:
    """Runs by the sweep's metric, those without it behind; as they are where there is no metric."""
    objective = sweep.objective
    if objective is None:
        return runs
    sign = -1 if objective.direction == "maximize" else 1
    return sorted(runs, key=lambda run: sign * run.metrics.get(objective.metric, sign * float("inf")))


def last_word(sweep: Sweep, runs: list[Run]) -> list[str]:
    """How a sweep ended, and the errors of its runs, alike ones once."""
    counts = [f"{count} {state}" for state, count in sweep.counts.items() if state != RunState.SUCCEEDED]
    head = f"{sweep.counts.get(RunState.SUCCEEDED, 0)} of {sweep.total} runs succeeded"
    lines = [
        ", ".join([head, *counts])
        + (f" in {duration_text(took(sweep.started_at, sweep.ended_at))}." if sweep.started_at else ".")
    ]
    if sweep.message and sweep.message not in (", ".join(counts), "Stopped"):
        lines.append(sweep.message)
    best = next((run for run in runs if run.id == sweep.best_run_id), None)
    if best is not None:
        values = ", ".join(f"{name}={value_text(best.parameters[name])}" for name in sweep.varied)
        lines.append(f"Best: {best_text(sweep)}{' with ' + values if values else ''} (run {short_id(best)}).")
    if sweep.objective and best is None and sweep.counts.get(RunState.SUCCEEDED):
        known = ", ".join(dict.fromkeys(name for run in runs for name in run.metrics)) or "none"
        lines.append(f"No run has a metric “{sweep.objective.metric}” that is finite; those there are: {known}.")
    errors = Counter(first_line(run.error.message) for run in runs if run.error)
    first = {first_line(run.error.message): run for run in reversed(runs) if run.error}
    lines += [
        f"{count} × {error} (jupyter mlops sweep show {short_id(first[error])})"
        for error, count in errors.most_common(_MOST_ERRORS)
    ]
    return lines


def sweep_details(sweep: Sweep, layout: Layout) -> Table:
    """All about a sweep."""
    sampler = (
        f"random, {sweep.sampler.count} drawn, seed {sweep.sampler.seed}" if sweep.sampler.kind == "random" else ""
    )
    objective = f"{sweep.objective.metric} ({sweep.objective.direction})" if sweep.objective else ""
    counts = ", ".join(f"{count} {state}" for state, count in sweep.counts.items())
    return new_details(
        ("sweep", sweep.id),
        ("name", sweep.name),
        ("state", state_text(sweep)),
        ("runs", f"{finished(sweep)}/{sweep.total}{' (' + counts + ')' if counts else ''}"),
        *((f"  {name}", text) for name, text in sweep.space.items()),
        ("sampler", sampler),
        ("metric", objective),
        ("best", best_text(sweep)),
        ("notebook", sweep.path),
        ("as started", str(layout.frozen(sweep.id))),
        ("git commit", sweep.git_commit),
        ("kernel", sweep.kernel),
        ("started by", sweep.kernelspec.argv[0] if sweep.kernelspec else ""),
        ("target", sweep.target),
        ("shares", f"the first {sweep.shared_cells} code cells, once a slot" if sweep.prefix else ""),
        ("experiment", sweep.experiment),
        ("MLflow run", sweep.mlflow_run_id or ""),
        *time_rows(("created", sweep.created_at), ("started", sweep.started_at), ("ended", sweep.ended_at)),
        ("took", duration_text(took(sweep.started_at, sweep.ended_at))),
        ("occupies", size_text(sweep.occupies)),
    )


def run_details(run: Run, sweep: Sweep, layout: Layout) -> Table:
    """All about a run."""
    output = layout.output(run.id, run.attempt)
    files = layout.run(run.id) / "files"
    return new_details(
        ("run", run.id),
        ("sweep", f"{short_id(sweep)} {sweep.name}"),
        ("state", state_text(run)),
        ("parameters", "" if run.parameters or sweep.defaults else "the notebook's defaults"),
        *((f"  {name}", value_text(value)) for name, value in run.parameters.items()),
        *(
            (f"  {name}", dim(f"{value_text(value)} (default)"))
            for name, value in sweep.defaults.items()
            if name not in run.parameters
        ),
        ("metrics", "" if run.metrics or run.not_finite else "none"),
        *((f"  {name}", value_text(value)) for name, value in (run.metrics | run.not_finite).items()),
        ("error", run.error.message if run.error else ""),
        *(("warning", warning) for warning in run.warnings),
        ("cells", f"{run.cell}/{run.cells}" if run.cells else ""),
        ("attempt", str(run.attempt) if run.attempt > 1 else ""),
        *time_rows(("queued", run.queued_at), ("started", run.started_at), ("ended", run.ended_at)),
        ("took", duration_text(took(run.started_at, run.ended_at))),
        ("time", timing_text(run.timing)),
        ("kernel", kernel_text(run)),
        ("CPU", duration_text(run.cpu_seconds)),
        ("memory", size_text(run.peak_memory or 0)),
        ("worker", run.worker),
        ("MLflow run", run.mlflow_run_id or ""),
        ("executed", str(output) if output.exists() else ""),
        ("files", str(files) if files.is_dir() and any(files.iterdir()) else ""),
    )


def _metric_names(sweep: Sweep, runs: list[Run]) -> list[str]:
    wanted = [sweep.objective.metric] if sweep.objective else []
    found = dict.fromkeys(name for run in runs for name in (*run.metrics, *run.not_finite))
    ordered = dict.fromkeys([*wanted, *(name for name in sweep.metrics if name in found), *found])
    return list(ordered)[:_MOST_METRICS]
