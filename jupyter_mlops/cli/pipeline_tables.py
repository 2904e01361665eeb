"""What a person reads of pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.cron import in_words
from ..core.pipelines.definition import GraphStep
from ..core.pipelines.records import Pipeline, PipelineRun, RunMark, StepRun, Trigger, Version
from ..core.pipelines.requests import PipelineDetails, VersionDiff
from ..core.states import PipelineRunState
from .output import (
    SHORT,
    duration_text,
    first_line,
    new_details,
    new_table,
    state_cell,
    time_rows,
    took,
    value_text,
    when_text,
)

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_MARKS = {
    PipelineRunState.SUCCEEDED: ("●", "green"),
    PipelineRunState.FAILED: ("✕", "red"),
    PipelineRunState.STOPPED: ("■", "yellow"),
    PipelineRunState.SKIPPED: ("–", ""),
    PipelineRunState.RUNNING: ("▶", "cyan"),
    PipelineRunState.QUEUED: ("○", ""),
}
_MOST_MARKS = 10


def short_run(run: PipelineRun) -> str:
    """What a person types to name it."""
    return f"{run.pipeline_id[:SHORT]}-{run.number}"


def pipelines_table(pipelines: list[Pipeline]) -> Table:
    """Pipelines, one a row."""
    table = new_table("pipeline", "name", "version", "runs", "last", "next", "file")
    for pipeline in pipelines:
        table.add_row(
            pipeline.id[:SHORT],
            pipeline.name,
            _version(pipeline),
            str(pipeline.runs),
            _marks(pipeline.recent),
            _next(pipeline),
            Path(pipeline.path).name,
        )
    return table


def _next(pipeline: Pipeline) -> str:
    if pipeline.paused:
        return "paused"
    if pipeline.next_at:
        return when_text(pipeline.next_at)
    return "when triggered" if pipeline.triggers else "by hand"


def _version(pipeline: Pipeline) -> str:
    rolled = pipeline.version != pipeline.versions
    return f"{pipeline.version} of {pipeline.versions}" if rolled else str(pipeline.version)


def _marks(marks: list[RunMark]) -> Text:
    from rich.text import Text

    text = Text()
    for mark in marks[-_MOST_MARKS:]:
        text.append(*_MARKS[mark.state])
    return text


def pipeline_details(details: PipelineDetails) -> Table:
    """All about a pipeline, but for its schedules and steps."""
    pipeline = details.pipeline
    return new_details(
        ("pipeline", pipeline.id),
        ("name", pipeline.name),
        ("file", pipeline.path),
        ("project", pipeline.project),
        ("state", "deleted" if pipeline.deleted_at else "paused" if pipeline.paused else ""),
        ("message", pipeline.message),
        ("runs", str(pipeline.runs)),
        ("fires", details.keeper if details.triggers else ""),
        *time_rows(("created", pipeline.created_at), ("next", pipeline.next_at)),
        *((_label(version.number, pipeline), _said(version)) for version in details.versions),
    )


def _label(number: int, pipeline: Pipeline) -> str:
    return f"version {number}{' ←' if number == pipeline.version else ''}"


def _said(version: Version) -> str:
    parts = [when_text(version.created_at), version.source, version.git_commit[:12], version.note]
    lines = [" · ".join(part for part in parts if part), *(f"! {warning}" for warning in version.warnings)]
    return "\n".join(lines)


def graph_table(graph: list[GraphStep]) -> Table:
    """Steps in the order in which they run, and what each waits for."""
    table = new_table("step", "notebook", "waits for", "runs")
    for step in sorted(graph, key=lambda step: step.layer):
        table.add_row(
            step.name,
            f"{step.notebook} (sweep)" if step.sweep else step.notebook,
            ", ".join(step.after),
            _when_it_runs(step),
        )
    return table


def _when_it_runs(step: GraphStep) -> str:
    words = {"failed": "if something before it failed", "always": "always"}
    parts = [words.get(step.run_if, ""), f"if {step.when}" if step.when else ""]
    return ", and ".join(part for part in parts if part)


def triggers_table(triggers: list[Trigger], names: Mapping[str, str], head: str) -> Table:
    """Schedules or triggers, one a row.

    Args:
        names: of pipelines, by id.
        head: of the first column.
    """
    told = any(trigger.message for trigger in triggers)
    table = new_table(head, "pipeline", "starts it", "next", "last", *(["message"] if told else []))
    for trigger in triggers:
        table.add_row(
            trigger.id[:SHORT],
            _name(trigger.pipeline_id, names),
            trigger_text(trigger, names),
            _next_time(trigger),
            when_text(trigger.last_at) if trigger.last_at else "",
            *([first_line(trigger.message)] if told else []),
        )
    return table


def trigger_details(trigger: Trigger, names: Mapping[str, str], what: str) -> Table:
    """All about a schedule or trigger, which ``what`` says; ``names`` are those of pipelines, by id."""
    return new_details(
        (what, trigger.id),
        ("pipeline", _name(trigger.pipeline_id, names)),
        ("starts it", trigger_text(trigger, names)),
        ("next", _next_time(trigger)),
        ("while it runs", trigger.overlap),
        ("missed times", f"{trigger.missed}, of the last {duration_text(trigger.grace)}" if trigger.cron else ""),
        *((f"  {key}", value_text(value)) for key, value in trigger.parameters.items()),
        ("message", trigger.message),
        *time_rows(("created", trigger.created_at or None), ("last", trigger.last_at)),
    )


def _next_time(trigger: Trigger) -> str:
    if not trigger.enabled:
        return "paused"
    return when_text(trigger.next_at) if trigger.next_at and trigger.kind == "cron" else ""


def _name(pipeline_id: str, names: Mapping[str, str]) -> str:
    return names.get(pipeline_id, pipeline_id[:SHORT])


def trigger_text(trigger: Trigger, names: Mapping[str, str]) -> str:
    """What starts a pipeline, in words."""
    match trigger.kind:
        case "cron":
            return f"{trigger.cron} {trigger.zone}: {in_words(trigger.cron)}"
        case "files":
            return f"new files {trigger.pattern}"
        case "pipeline":
            return f"after {_name(trigger.upstream, names)} {trigger.on}"
        case "http":
            return "a call"


def pipeline_runs_table(runs: list[PipelineRun]) -> Table:
    """Runs of a pipeline, one a row."""
    told = any(run.message for run in runs)
    table = new_table(
        "run", "state", "version", "cause", "scheduled for", "took", "steps", *(["message"] if told else [])
    )
    for run in runs:
        table.add_row(
            short_run(run),
            state_cell(run.state),
            str(run.version),
            run.cause,
            when_text(run.scheduled_at) if run.scheduled_at else "",
            duration_text(took(run.started_at, run.ended_at)),
            counts_text(run),
            *([first_line(run.message)] if told else []),
        )
    return table


def counts_text(run: PipelineRun) -> str:
    """``3 succeeded, 1 failed``."""
    return ", ".join(f"{count} {state}" for state, count in run.steps.items())


def run_head(run: PipelineRun, name: str) -> Table:
    """All about a run, but for its steps and its log.

    Args:
        name: of its pipeline.
    """
    return new_details(
        ("run", run.id),
        ("pipeline", f"{name}, run {run.number}, version {run.version}"),
        ("state", run.state),
        ("message", run.message),
        ("cause", run.cause),
        *((f"  {key}", value_text(value)) for key, value in run.parameters.items()),
        ("changed", run.drift),
        ("MLflow run", run.mlflow_run_id or ""),
        *time_rows(("scheduled", run.scheduled_at or None), ("started", run.started_at), ("ended", run.ended_at)),
        ("took", duration_text(took(run.started_at, run.ended_at))),
    )


def steps_table(steps: list[StepRun]) -> Table:
    """The steps of a run, one a row."""
    table = new_table("step", "state", "attempt", "took", "sweep", "hands on", "message")
    for step in steps:
        table.add_row(
            step.step,
            state_cell(step.state),
            str(step.attempt),
            duration_text(took(step.started_at, step.ended_at)),
            step.sweeps[-1][:SHORT] if step.sweeps else "",
            first_line(", ".join(f"{name} {value_text(value)}" for name, value in step.outputs.items())),
            first_line(step.message),
        )
    return table


def diff_lines(diff: VersionDiff) -> list[str]:
    """What is different between two versions, under headings."""
    lines: list[str] = []
    for heading, found in (
        ("parameters", diff.parameters),
        ("environment", diff.environment),
        ("files", diff.files),
    ):
        if found:
            lines += [f"{heading}:", *(f"  {line}" for line in found)]
    for texts in (diff.notebooks, diff.code):
        for path, text in texts.items():
            lines += [f"{path}:", *(f"  {line}" for line in text.splitlines())]
    return lines or ["Nothing is different."]
