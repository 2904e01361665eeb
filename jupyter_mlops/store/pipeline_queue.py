"""The queue of a pipeline's runs, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, bindparam, func, insert, select

from ..core.messages import Message
from ..core.pipelines.records import LogLine, Pipeline, PipelineRun
from ..core.states import PIPELINE_RUN_OVER, PipelineRunState
from .pipeline_rows import PUT_RUN, mark_of, run_row, stamped
from .tables import pipeline_runs

RECENT = 14
MAX_LOG_LINES = 200
LIVE = [PipelineRunState.QUEUED.value, PipelineRunState.RUNNING.value]
_OF_LIVE = (pipeline_runs.c.pipeline_id == bindparam("key"), pipeline_runs.c.state.in_(LIVE))
_FIRST_LIVE = select(func.min(pipeline_runs.c.number)).where(*_OF_LIVE)
_LIVE_RUNS = select(pipeline_runs.c.record, pipeline_runs.c.revision).where(*_OF_LIVE)
_QUEUED = pipeline_runs.c.state == PipelineRunState.QUEUED.value
_FIRST = select(pipeline_runs.c.pipeline_id, func.min(pipeline_runs.c.number).label("number")).where(_QUEUED)
_FIRST_OF_EACH = _FIRST.group_by(pipeline_runs.c.pipeline_id).subquery()
_FIRST_OF_ONE = select(func.min(pipeline_runs.c.number)).where(_QUEUED, pipeline_runs.c.pipeline_id == bindparam("key"))
_others = pipeline_runs.alias()
_RUNNING = (
    select(func.count())
    .where(_others.c.pipeline_id == pipeline_runs.c.pipeline_id, _others.c.state == PipelineRunState.RUNNING.value)
    .scalar_subquery()
)
_FIRST_QUEUED = (
    select(pipeline_runs.c.id, _RUNNING)
    .join(
        _FIRST_OF_EACH,
        (pipeline_runs.c.pipeline_id == _FIRST_OF_EACH.c.pipeline_id)
        & (pipeline_runs.c.number == _FIRST_OF_EACH.c.number),
    )
    .order_by(pipeline_runs.c.revision, pipeline_runs.c.number)
)


def first_queued(connection: Connection) -> dict[str, int]:
    """Number of running runs of its pipeline by id of each pipeline's first queued run, oldest first."""
    return {run_id: running for run_id, running in connection.execute(_FIRST_QUEUED)}  # noqa: C416


def has_turn(connection: Connection, run: PipelineRun, concurrency: int) -> bool:
    """Whether a queued run is its pipeline's first, and fewer than ``concurrency`` others are running."""
    running = select(func.count()).where(
        pipeline_runs.c.pipeline_id == run.pipeline_id, pipeline_runs.c.state == PipelineRunState.RUNNING.value
    )
    first = connection.execute(_FIRST_OF_ONE, {"key": run.pipeline_id}).scalar()
    return first == run.number and connection.execute(running).scalar_one() < concurrency


def add_runs(
    connection: Connection, pipeline: Pipeline, wanted: Sequence[PipelineRun], number: int
) -> tuple[Pipeline, list[PipelineRun]]:
    """Store runs under a pipeline's next numbers, applying each run's overlap policy.

    Returns:
        the pipeline, which the caller must store, and the runs.
    """
    made: list[PipelineRun] = []
    for asked in wanted:
        run = msgspec.structs.replace(
            asked, number=pipeline.runs + len(made) + 1, version=asked.version or pipeline.version, revision=number
        )
        run = msgspec.structs.replace(run, started_by=run.started_by or pipeline.service)
        if run.overlap == "skip":
            live = (other.number for other in made if other.state is not PipelineRunState.SKIPPED)
            run = _skipped_after(
                connection.execute(_FIRST_LIVE, {"key": pipeline.id}).scalar() or next(live, None), run
            )
        if run.overlap == "replace":
            if not any(other.overlap == "replace" for other in made):
                _replace_live(connection, run, number)
            made = [_replaced(other, run) for other in made]
        made.append(run)
    if made:
        rows = [{"id": run.id, "pipeline_id": pipeline.id, "number": run.number, **run_row(run)} for run in made]
        connection.execute(insert(pipeline_runs), rows)
    recent = [*pipeline.recent, *(mark_of(run) for run in made[-RECENT:])][-RECENT:]
    return msgspec.structs.replace(pipeline, runs=pipeline.runs + len(made), recent=recent), made


def _skipped_after(earlier: int | None, run: PipelineRun) -> PipelineRun:
    if earlier is None:
        return run
    message = Message("Run {earlier} went on, and runs do not overlap", earlier=earlier)
    return msgspec.structs.replace(run, state=PipelineRunState.SKIPPED, message=message, ended_at=run.created_at)


def _replace_live(connection: Connection, run: PipelineRun, number: int) -> None:
    """Request the stop of all live runs that a new run replaces."""
    for row in connection.execute(_LIVE_RUNS, {"key": run.pipeline_id}).all():
        other = stamped(row, PipelineRun)
        replaced = _replaced(other, run)
        if replaced is not other:
            written = msgspec.structs.replace(replaced, revision=number)
            connection.execute(PUT_RUN, run_row(written) | {"key": other.id})


def _replaced(other: PipelineRun, run: PipelineRun) -> PipelineRun:
    if other.stop_requested or other.state in PIPELINE_RUN_OVER:
        return other
    line = LogLine(at=run.created_at, text=Message("Run {number} takes its place", number=run.number))
    message = Message("Replaced by run {number}", number=run.number)
    return msgspec.structs.replace(other, stop_requested=True, message=message, log=[*other.log, line][-MAX_LOG_LINES:])
