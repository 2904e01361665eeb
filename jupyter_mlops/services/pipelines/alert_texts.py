"""Texts of alerts. They hold no secrets, because the worker removes those from errors."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Literal, NamedTuple

from ...core.pipelines.definition import AlertKind
from ...core.pipelines.records import Pipeline, PipelineRun, StepRun, Version
from ...core.states import PIPELINE_RUN_OVER, PipelineRunState, StepState
from ...store import Store

_LONGEST_LINE = 300
_TITLES: dict[AlertKind, str] = {
    "failure": "failed",
    "success": "succeeded",
    "slow": "is slow",
    "recovery": "works again",
    "drift": "runs in a changed environment",
}
_TONES: dict[AlertKind, Literal["info", "success", "warning", "failure"]] = {
    "failure": "failure",
    "success": "success",
    "slow": "warning",
    "recovery": "success",
    "drift": "warning",
}


class Alert(NamedTuple):
    """One message.

    Attributes:
        tone: as apprise names them.
    """

    kind: AlertKind
    title: str
    body: str
    tone: Literal["info", "success", "warning", "failure"]


def alert(kind: AlertKind, pipeline: Pipeline, run: PipelineRun, steps: Sequence[StepRun], why: str = "") -> Alert:
    """The alert on a run.

    Args:
        steps: of the run.
        why: a further sentence, put first.
    """
    over = run.state in PIPELINE_RUN_OVER
    title = _TITLES[kind] if over or kind != "failure" else "does not go on"
    lines = [why]
    failed = [step for step in steps if step.state is StepState.FAILED]
    lines += [f"Step {step.step}: {_error(step)}" for step in failed]
    if not failed and over:
        lines.append(run.message)
    if run.drift:
        lines.append(f"The environment differs from the one at promotion: {run.drift}")
    lines.append(_standing(run, over))
    lines.append(f"Pipeline: {pipeline.path} (version {run.version})")
    body = "\n".join(line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…" for line in lines if line)
    return Alert(kind, f"{pipeline.name} · run {run.number} {title}", body, _TONES[kind])


def trial(pipeline: Pipeline) -> Alert:
    """An alert that shows that its address is right."""
    body = f"Alerts on this pipeline reach you. Nothing happened.\nPipeline: {pipeline.path}"
    return Alert("success", f"{pipeline.name} · a test alert", body, "info")


def _standing(run: PipelineRun, over: bool) -> str:
    meant = f", for {run.scheduled_at}" if run.scheduled_at else ""
    if run.started_at is None:
        return f"Run {run.number} ({run.cause}{meant}): {run.state}"
    took = f"took {_duration(seconds_of(run))}" if over else f"has taken {_duration(seconds_of(run))} so far"
    return f"Run {run.number} ({run.cause}{meant}): {run.state}, {took}"


def _error(step: StepRun) -> str:
    if step.error is None or not step.error.message:
        return step.message or "failed"
    line = step.error.message.splitlines()[0]
    # errors of cells name themselves
    return line if step.error.name in line else f"{step.error.name}: {line}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


LAST = 20  # runs that the median is taken of
FEWEST = 3  # runs that a median needs
TIMES = 3.0  # a run is slow if it takes this multiple of the median


def seconds_of(run: PipelineRun) -> float:
    """Duration of a run so far."""
    if run.started_at is None:
        return 0.0
    ended = datetime.fromisoformat(run.ended_at) if run.ended_at else datetime.now(UTC)
    return (ended - datetime.fromisoformat(run.started_at)).total_seconds()


def slow_after(store: Store, run: PipelineRun, version: Version) -> float | None:
    """Number of seconds after which a run is slow, None if there are too few runs to tell."""
    if version.definition.alerts.slow is not None:
        return version.definition.alerts.slow
    found = store.pipeline_runs.find(run.pipeline_id, states=[PipelineRunState.SUCCEEDED], limit=LAST * 2)
    earlier = [seconds_of(other) for other in found if other.number < run.number][:LAST]
    return TIMES * median(earlier) if len(earlier) >= FEWEST else None
