"""What of a schedule is due at a moment, and what becomes of times that were missed. No I/O."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from ...core.cron import CronError, iso, next_time, times_between
from ...core.pipelines.records import Cause, PipelineRun, Trigger
from ...store import Firing

# a time that is longer ago was missed: no service lived, or the machine slept
LATE_SECONDS = 60.0
MOST_MISSED = 1_000  # made up for in one turn
_LOOK_BACK = (timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=366))


def due(trigger: Trigger, now: datetime) -> Firing:
    """What a schedule fires now.

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
        # a zone that a newer database of zones no longer has
        return Firing(trigger, None, [], str(error))
    fires = [(iso(time), *_decide(trigger, time, now)) for time in times]
    if times and iso(times[0]) != iso(first):
        # said once, not for each of a thousand minutes
        fires.insert(0, (iso(first), None, "It was missed, as were those after it that did not fire"))
    return Firing(trigger, iso(following) if following else None, fires)


def _times(trigger: Trigger, first: datetime, now: datetime) -> tuple[list[datetime], bool]:
    """The times that are to be decided on, and whether there are more of them."""
    if trigger.missed == "all":
        start = max(first, now - timedelta(seconds=max(trigger.grace, LATE_SECONDS)))
        times = list(times_between(trigger.cron, trigger.zone, start, now, MOST_MISSED))
        return times, len(times) == MOST_MISSED
    last = _last(trigger, first, now)
    return ([last] if last else []), False


def _last(trigger: Trigger, first: datetime, now: datetime) -> datetime | None:
    """The last time of a schedule up to now, found without walking through all that a year has."""
    for back in _LOOK_BACK:
        start = max(first, now - back)
        times = list(times_between(trigger.cron, trigger.zone, start, now))
        if times or start == first:
            return times[-1] if times else None
    times = list(times_between(trigger.cron, trigger.zone, first, now))
    return times[-1] if times else None


def _decide(trigger: Trigger, time: datetime, now: datetime) -> tuple[PipelineRun | None, str]:
    # compared in UTC: of one zone, Python compares what clocks show
    late = now - time.astimezone(UTC)
    if late.total_seconds() > LATE_SECONDS:
        if trigger.missed == "skip":
            return None, "It was missed, and missed times are skipped"
        if late > timedelta(seconds=trigger.grace):
            return None, "It was missed, and its grace time is over"
    return run_of(trigger, "cron", iso(time), iso(now)), ""


def run_of(trigger: Trigger, cause: Cause, scheduled_at: str, at: str) -> PipelineRun:
    """The run that a trigger's fire makes, of the version that is current then."""
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
    """When a trigger fires or looks next, None where nothing but its own event fires it.

    Raises:
        CronError: its line or zone cannot be used.
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
