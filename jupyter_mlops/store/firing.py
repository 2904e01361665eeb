"""Firing triggers, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select

from ..core.lenient import decode, encode
from ..core.messages import Message
from ..core.pipelines.records import Fire, Pipeline, PipelineRun, Trigger
from ..core.states import PipelineRunState
from .base import replace
from .pipeline_queue import add_runs
from .pipeline_rows import PUT_PIPELINE, PUT_TRIGGER, pipeline_row, read_pipeline, stamped, state_key, trigger_row
from .tables import fires, infos, pipelines, triggers

_DELETE_FIRE = delete(fires).where(
    fires.c.trigger_id == bindparam("trigger"), fires.c.scheduled_at == bindparam("time")
)


class Firing(NamedTuple):
    """What a service wants to fire for one trigger.

    Attributes:
        trigger: as the service read it; if it has changed since, nothing fires.
        next_at: when it fires next.
        due: each scheduled time with the run to create, or the reason for none.
        message: the trigger's new message.
        state: the trigger's new state, see :meth:`TriggerStore.state`; None keeps the old one.
    """

    trigger: Trigger
    next_at: str | None
    due: Sequence[tuple[str, PipelineRun | None, Message]]
    message: Message = Message()
    state: Any = None


def fire_all(
    connection: Connection, firings: Sequence[Firing], fired_at: str, service: str, number: int
) -> list[PipelineRun]:
    """Fire all that may fire, with few statements for the whole batch."""
    ids = [firing.trigger.id for firing in firings]
    query = select(triggers.c.record).where(triggers.c.id.in_(ids))
    present = {
        trigger.id: trigger for trigger in (decode(record, Trigger) for record in connection.execute(query).scalars())
    }
    of = pipelines.c.id.in_({trigger.pipeline_id for trigger in present.values()})
    rows = connection.execute(select(pipelines.c.record, pipelines.c.revision).where(of))
    owners: dict[str, Pipeline] = {pipeline.id: pipeline for pipeline in (stamped(row, Pipeline) for row in rows)}
    known = _known_fires(connection, firings)
    made: list[PipelineRun] = []
    fired: list[Fire] = []
    moved: list[Trigger] = []
    made_up: list[dict[str, str]] = []
    for firing in firings:
        # pop: a second firing of one trigger is outdated by the first
        trigger = present.pop(firing.trigger.id, None)
        if trigger is None or not _may_fire(firing, trigger, owners[trigger.pipeline_id]):
            continue
        due = {
            time: (run, reason)
            for time, run, reason in firing.due
            if (trigger.id, time) not in known or _makes_up(run, known[trigger.id, time])
        }
        made_up += [{"trigger": trigger.id, "time": time} for time in due if (trigger.id, time) in known]
        wanted = [run for run, _ in due.values() if run is not None]
        owners[trigger.pipeline_id], runs = add_runs(connection, owners[trigger.pipeline_id], wanted, number)
        made += runs
        fired += _fires_of(trigger.id, due, {run.id: run for run in runs}, fired_at, service)
        last = max([*(time for time, _, _ in firing.due), trigger.last_at or ""]) or None
        fields = {"next_at": firing.next_at, "last_at": last, "message": firing.message, "revision": number}
        moved.append(msgspec.structs.replace(trigger, **fields))
        if firing.state is not None:
            replace(connection, infos, {"key": state_key(trigger.id)}, {"value": firing.state})
    if made_up:
        connection.execute(_DELETE_FIRE, made_up)
    _put_fired(connection, fired, moved, owners, number)
    return made


def _may_fire(firing: Firing, trigger: Trigger, pipeline: Pipeline) -> bool:
    if trigger.revision != firing.trigger.revision or pipeline.deleted_at is not None:
        # another service fired it, or a user changed it
        return False
    by_person = all(run is not None and run.cause in ("hand", "backfill") for _, run, _ in firing.due)
    return by_person or not pipeline.paused


def _known_fires(connection: Connection, firings: Sequence[Firing]) -> dict[tuple[str, str], str]:
    """By trigger and time, the id of the run created, empty for none."""
    times = [time for firing in firings for time, _, _ in firing.due]
    if not times:
        return {}
    query = select(fires.c.trigger_id, fires.c.scheduled_at, fires.c.record).where(
        fires.c.trigger_id.in_([firing.trigger.id for firing in firings]),
        # a backfill can have more times than a statement may have parameters
        fires.c.scheduled_at >= min(times),
        fires.c.scheduled_at <= max(times),
    )
    return {(trigger_id, time): record.get("run_id", "") for trigger_id, time, record in connection.execute(query)}


def _makes_up(run: PipelineRun | None, earlier: str) -> bool:
    """Whether a backfill covers a time that was skipped."""
    return not earlier and run is not None and run.cause == "backfill"


def _fires_of(
    trigger_id: str,
    due: dict[str, tuple[PipelineRun | None, Message]],
    runs: dict[str, PipelineRun],
    fired_at: str,
    service: str,
) -> Iterator[Fire]:
    for time, (wanted, reason) in due.items():
        run = None if wanted is None else runs[wanted.id]
        yield Fire(
            trigger_id=trigger_id,
            scheduled_at=time,
            fired_at=fired_at,
            service=service,
            run_id=run.id if run else "",
            reason=run.message if run and run.state is PipelineRunState.SKIPPED else reason,
        )


def _put_fired(
    connection: Connection, fired: list[Fire], moved: list[Trigger], owners: dict[str, Pipeline], number: int
) -> None:
    if not moved:
        return
    if fired:
        columns = ("trigger_id", "scheduled_at")
        rows = [{name: getattr(fire, name) for name in columns} | {"record": encode(fire)} for fire in fired]
        connection.execute(insert(fires), rows)
    rows = [trigger_row(trigger, owners[trigger.pipeline_id]) | {"key": trigger.id} for trigger in moved]
    connection.execute(PUT_TRIGGER, rows)
    ids = {trigger.pipeline_id for trigger in moved}
    query = (
        select(triggers.c.pipeline_id, func.min(triggers.c.next_at))
        .where(triggers.c.pipeline_id.in_(ids), triggers.c.kind == "cron")
        .group_by(triggers.c.pipeline_id)
    )
    next_at = {found[0]: found[1] for found in connection.execute(query)}
    shown = [
        msgspec.structs.replace(owners[pipeline_id], next_at=next_at.get(pipeline_id), revision=number)
        for pipeline_id in sorted(ids)
    ]
    connection.execute(PUT_PIPELINE, [pipeline_row(pipeline) | {"key": pipeline.id} for pipeline in shown])


def fire_followers(connection: Connection, run: PipelineRun, number: int) -> None:
    """Fire the pipelines that follow this one, in the transaction that ends the run: exactly once."""
    query = select(triggers.c.record).where(triggers.c.upstream == run.pipeline_id, triggers.c.kind == "pipeline")
    for record in connection.execute(query).scalars().all():
        trigger = decode(record, Trigger)
        wanted = {"succeeded": ("succeeded",), "failed": ("failed",), "ended": ("succeeded", "failed", "stopped")}
        pipeline = read_pipeline(connection, trigger.pipeline_id)
        if not trigger.enabled or pipeline.paused or pipeline.deleted_at or run.state.value not in wanted[trigger.on]:
            continue
        at = run.ended_at or run.created_at
        follower = PipelineRun(
            id=uuid4().hex,
            pipeline_id=trigger.pipeline_id,
            version=0,
            cause="pipeline",
            trigger_id=trigger.id,
            scheduled_at=at,
            parameters=trigger.parameters,
            overlap=trigger.overlap,
            created_at=at,
        )
        fire_all(connection, [Firing(trigger, trigger.next_at, [(at, follower, Message())])], at, run.service, number)
