"""Pipelines and their runs as rows, read and written within the caller's transaction."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, Select, bindparam, func, insert, select, update

from ..core.errors import NotFoundError
from ..core.lenient import decode, encode, with_unknown_of
from ..core.messages import Message
from ..core.pipelines.records import Pipeline, PipelineRun, RunMark, StepRun, Trigger, Version
from ..core.record import seconds_between
from ..core.states import StepState
from .base import R, next_revision, read_record, update_by_id
from .tables import pipeline_runs, pipelines, step_runs, triggers, version_blobs, versions

_PIPELINE = select(pipelines.c.record, pipelines.c.revision).where(pipelines.c.id == bindparam("key"))
_PIPELINE_RUN = select(pipeline_runs.c.record, pipeline_runs.c.revision).where(pipeline_runs.c.id == bindparam("key"))
_STEP = select(step_runs.c.record).where(step_runs.c.id == bindparam("key"))
_TRIGGER = select(triggers.c.record).where(triggers.c.id == bindparam("key"))
_TRIGGERS_OF = select(triggers.c.record).where(triggers.c.pipeline_id == bindparam("key"))
_NEXT_AT = select(func.min(triggers.c.next_at)).where(
    triggers.c.pipeline_id == bindparam("key"), triggers.c.kind == "cron"
)
PUT_PIPELINE = update_by_id(pipelines, "path", "created_at", "deleted_at", "revision", "record")
_RUN_COLUMNS = ("version", "service", "stop_requested", "ended_at", "revision")
PUT_RUN = update_by_id(pipeline_runs, *_RUN_COLUMNS, "state", "record")
PUT_STEP = update_by_id(step_runs, "state", "fingerprint", "revision", "record")
PUT_TRIGGER = update_by_id(triggers, "kind", "upstream", "next_at", "revision", "record")
STAMP_RUN = update(pipeline_runs).where(pipeline_runs.c.id == bindparam("key")).values(revision=bindparam("stamp"))
STAMP_PIPELINE = update(pipelines).where(pipelines.c.id == bindparam("key")).values(revision=bindparam("stamp"))


def stamped(row: Any, kind: type[R]) -> R:
    """A record from a row of record and revision."""
    # a step's change sets the revision of its run and pipeline without rewriting their records
    return msgspec.structs.replace(decode(row[0], kind), revision=row[1])


def _read_stamped(connection: Connection, query: Select[Any], key: str, kind: type[R], missing: str) -> R:
    row = connection.execute(query, {"key": key}).first()
    if row is None:
        raise NotFoundError(Message.verbatim(missing))
    return stamped(row, kind)


def read_pipeline(connection: Connection, pipeline_id: str) -> Pipeline:
    """One pipeline; raises :class:`NotFoundError` if there is none with this id."""
    return _read_stamped(connection, _PIPELINE, pipeline_id, Pipeline, f"There is no pipeline {pipeline_id}.")


def read_pipeline_run(connection: Connection, run_id: str) -> PipelineRun:
    """One run; raises :class:`NotFoundError` if there is none with this id."""
    return _read_stamped(connection, _PIPELINE_RUN, run_id, PipelineRun, f"There is no pipeline run {run_id}.")


def read_step(connection: Connection, step_id: str) -> StepRun:
    """One step of a run; raises :class:`NotFoundError` if there is none with this id."""
    return read_record(connection, _STEP, step_id, StepRun, f"There is no step {step_id}.")


def read_trigger(connection: Connection, trigger_id: str) -> Trigger:
    """One trigger; raises :class:`NotFoundError` if there is none with this id."""
    return read_record(connection, _TRIGGER, trigger_id, Trigger, f"There is no schedule or trigger {trigger_id}.")


def add_version(connection: Connection, version: Version) -> None:
    """Store a version under its number, and the blobs it refers to."""
    key = {"pipeline_id": version.pipeline_id, "number": version.number}
    connection.execute(insert(versions).values(**key, record=encode(version)))
    if names := blobs_of(version):
        connection.execute(insert(version_blobs), [key | {"sha256": name} for name in sorted(names)])


def blobs_of(version: Version) -> set[str]:
    """The sha256 of a version's frozen files, package lists and difference."""
    return {*version.files.values(), *version.lock.values(), version.git_diff} - {""}


def put_pipeline(connection: Connection, pipeline: Pipeline, number: int | None = None) -> Pipeline:
    """Write a pipeline with the given revision, or else a new one."""
    written = msgspec.structs.replace(pipeline, revision=number or next_revision(connection))
    connection.execute(PUT_PIPELINE, pipeline_row(written) | {"key": pipeline.id})
    return written


def put_trigger(connection: Connection, trigger: Trigger, number: int) -> Trigger:
    """Write a trigger with a revision, and update its pipeline's summary."""
    written = msgspec.structs.replace(trigger, revision=number)
    pipeline = read_pipeline(connection, trigger.pipeline_id)
    connection.execute(PUT_TRIGGER, trigger_row(written, pipeline) | {"key": trigger.id})
    follow_triggers(connection, pipeline, number)
    return written


def follow_triggers(connection: Connection, pipeline: Pipeline, number: int) -> Pipeline:
    """Update a pipeline's number of triggers and its next scheduled time."""
    next_at = connection.execute(_NEXT_AT, {"key": pipeline.id}).scalar()
    records = connection.execute(_TRIGGERS_OF, {"key": pipeline.id}).scalars()
    enabled = sum(record["enabled"] for record in records)
    return put_pipeline(connection, msgspec.structs.replace(pipeline, triggers=enabled, next_at=next_at), number)


def put_run(connection: Connection, run: PipelineRun, number: int) -> PipelineRun:
    """Write a run with a revision, and update its pipeline's summary."""
    written = msgspec.structs.replace(run, revision=number)
    connection.execute(PUT_RUN, run_row(written) | {"key": run.id})
    pipeline = read_pipeline(connection, run.pipeline_id)
    recent = [with_unknown_of(mark_of(run), mark) if mark.id == run.id else mark for mark in pipeline.recent]
    put_pipeline(connection, msgspec.structs.replace(pipeline, recent=recent), number)
    return written


def mark_of(run: PipelineRun) -> RunMark:
    """A run in its pipeline's summary."""
    is_timed = run.started_at and run.ended_at
    seconds = round(seconds_between(run.started_at or "", run.ended_at or ""), 3) if is_timed else None
    return RunMark(id=run.id, number=run.number, state=run.state, at=run.started_at or run.created_at, seconds=seconds)


def count_steps(
    connection: Connection,
    run_id: str,
    number: int,
    before: StepState | None = None,
    after: StepState | None = None,
) -> None:
    """Update a run's number of steps by state; with the two states of a step that changed, without counting all."""
    run = read_pipeline_run(connection, run_id)
    if before is None or after is None:
        query = select(step_runs.c.state, func.count()).where(step_runs.c.run_id == run_id).group_by(step_runs.c.state)
        counts = {state: count for state, count in connection.execute(query).all()}  # noqa: C416
    else:
        counts = dict(run.steps)
        counts[before.value] = counts.get(before.value, 0) - 1
        counts[after.value] = counts.get(after.value, 0) + 1
    counts = {state: count for state, count in counts.items() if count}
    written = msgspec.structs.replace(run, steps=counts, revision=number)
    connection.execute(PUT_RUN, run_row(written) | {"key": run_id})
    connection.execute(STAMP_PIPELINE, {"key": run.pipeline_id, "stamp": number})


def state_key(trigger_id: str) -> str:
    """Key of a trigger's state in ``infos``."""
    return f"trigger:{trigger_id}"


def health_key(pipeline_id: str) -> str:
    """Key in ``infos`` of the numbers of a pipeline's last failed run and of the run that recovered from it."""
    return f"alerts:health:{pipeline_id}"


def pipeline_row(pipeline: Pipeline) -> dict[str, Any]:
    """The columns of a pipeline."""
    names = ("path", "created_at", "deleted_at", "revision")
    return {name: getattr(pipeline, name) for name in names} | {"record": encode(pipeline)}


def trigger_row(trigger: Trigger, pipeline: Pipeline) -> dict[str, Any]:
    """The columns of a trigger of a pipeline."""
    fires_now = trigger.enabled and not pipeline.paused and pipeline.deleted_at is None
    return {
        "kind": trigger.kind,
        "upstream": trigger.upstream,
        # so that queries for due triggers skip it
        "next_at": trigger.next_at if fires_now else None,
        "revision": trigger.revision,
        "record": encode(trigger),
    }


def run_row(run: PipelineRun) -> dict[str, Any]:
    """The columns of a run that may change."""
    return {
        **{name: getattr(run, name) for name in _RUN_COLUMNS},
        "state": run.state.value,
        "record": encode(run),
    }


def step_row(step: StepRun) -> dict[str, Any]:
    """The columns of a step that may change."""
    return {
        "state": step.state.value,
        "fingerprint": step.fingerprint,
        "revision": step.revision,
        "record": encode(step),
    }
