"""Decides which times of a schedule fire, and handles missed ones. No I/O."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from ...core.cron import CronError, iso, next_time, times_between
from ...core.messages import Message
from ...core.pipelines.records import Cause, PipelineRun, Trigger
from ...store import Firing

# later than this a time counts as missed: no service ran, or the machine slept
LATE_SECONDS = 60.0
MOST_MISSED = 1_000  # missed times handled per turn
_LOOK_BACK = (timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=366))


def due(trigger: Trigger, now: datetime) -> Firing:
    """What a schedule must fire now.

    Args:
        trigger: of kind ``cron``, whose ``next_at`` has come.
        now: aware.
    """
    assert trigger.next_at is not None
    first = datetime.fromisoformat(trigger.next_at)
    try:
        times, more = _times(trigger, first, now)
        after = times[-1] if more else max(now, first)
        following = next_time(trigger.cron, trigger.zone, after)
    except CronError as error:
        # the zone is missing from a newer time zone database
        return Firing(trigger, None, [], error.message)
    fires = [(iso(time), *_decide(trigger, time, now)) for time in times]
    if times and iso(times[0]) != iso(first):
        # one record for all of them
        fires.insert(0, (iso(first), None, Message("It was missed, as were those after it that did not fire")))
    return Firing(trigger, iso(following) if following else None, fires)


def _times(trigger: Trigger, first: datetime, now: datetime) -> tuple[list[datetime], bool]:
    """The times to decide on, and whether there are more."""
    if trigger.missed == "all":
        start = max(first, now - timedelta(seconds=max(trigger.grace, LATE_SECONDS)))
        times = list(times_between(trigger.cron, trigger.zone, start, now, MOST_MISSED))
        return times, len(times) == MOST_MISSED
    last = _last(trigger, first, now)
    return ([last] if last else []), False


def _last(trigger: Trigger, first: datetime, now: datetime) -> datetime | None:
    """The last time of a schedule up to now, found without iterating over a whole year."""
    for back in _LOOK_BACK:
        start = max(first, now - back)
        times = list(times_between(trigger.cron, trigger.zone, start, now))
        if times or start == first:
            return times[-1] if times else None
    times = list(times_between(trigger.cron, trigger.zone, first, now))
    return times[-1] if times else None


def _decide(trigger: Trigger, time: datetime, now: datetime) -> tuple[PipelineRun | None, Message]:
    # in UTC, because Python compares times of one zone by their wall clocks
    late = now - time.astimezone(UTC)
    if late.total_seconds() > LATE_SECONDS:
        if trigger.missed == "skip":
            return None, Message("It was missed, and missed times are skipped")
        if late > timedelta(seconds=trigger.grace):
            return None, Message("It was missed, and its grace time is over")
    return run_of(trigger, "cron", iso(time), iso(now)), Message()


def run_of(trigger: Trigger, cause: Cause, scheduled_at: str, at: str) -> PipelineRun:
    """The run that a trigger creates; the store fills in the live version."""
    return PipelineRun(
        id=uuid4().hex,
        pipeline_id=trigger.pipeline_id,
        version=0,
        cause=cause,
        trigger_id=trigger.id,
        scheduled_at=scheduled_at,
        parameters=trigger.parameters,
        overlap="queue" if cause == "backfill" else trigger.overlap,
        created_at=at,
    )


def next_at(trigger: Trigger, now: datetime | None = None) -> str | None:
    """When a trigger fires or looks for files next, None if only an event fires it.

    Raises:
        CronError: its cron line or zone is invalid.
    """
    now = now or datetime.now(UTC)
    if not trigger.enabled:
        return None
    if trigger.kind == "files":
        return iso(now)
    if trigger.kind != "cron":
        return None
    time = next_time(trigger.cron, trigger.zone, now)
    return iso(time) if time else None
