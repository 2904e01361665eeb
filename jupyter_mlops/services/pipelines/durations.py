"""How long runs of a pipeline take."""

from __future__ import annotations

from datetime import UTC, datetime
from statistics import median

from ...core.pipelines.records import PipelineRun, Version
from ...core.states import PipelineRunState
from ...store import Store

LAST = 20
FEWEST = 3  # runs from which something can be said of the next
TIMES = 3.0


def seconds_of(run: PipelineRun) -> float:
    """How long a run took, or has taken so far."""
    if run.started_at is None:
        return 0.0
    ended = datetime.fromisoformat(run.ended_at) if run.ended_at else datetime.now(UTC)
    return (ended - datetime.fromisoformat(run.started_at)).total_seconds()


def slow_after(store: Store, run: PipelineRun, version: Version) -> float | None:
    """After how many seconds a run is slow, None where nothing is known yet."""
    if version.definition.alerts.slow is not None:
        return version.definition.alerts.slow
    found = store.pipeline_runs(run.pipeline_id, states=[PipelineRunState.SUCCEEDED], limit=LAST * 2)
    earlier = [seconds_of(other) for other in found if other.number < run.number][:LAST]
    return TIMES * median(earlier) if len(earlier) >= FEWEST else None
