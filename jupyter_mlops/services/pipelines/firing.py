"""What of a schedule is due at a moment, and what becomes of times that were missed. No I/O."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from ...core.cron import CronError, iso, next_time, times_between
from ...core.pipelines import Cause, PipelineRun, Trigger
from ...store import Firing

# a time that is longer ago was missed: no service lived, or the machine slept
LATE_SECONDS = 60.0
MOST_MISSED = 1_000


def due(trigger: Trigger, now: datetime) -> Firing:
    """What a schedule fires now.

    Args:
        trigger: of kind ``cron``, whose ``next_at`` has come.
        now: aware.
    """
    assert trigger.next_at is not None
    try:
        first = datetime.fromisoformat(trigger.next_at)
        times = list(times_between(trigger.cron, trigger.zone, first, now, MOST_MISSED))
        after = times[-1] if len(times) == MOST_MISSED else now
        following = next_time(trigger.cron, trigger.zone, max(after, first))
    except CronError as error:
        # a zone that a newer database of zones no longer has
        return Firing(trigger, None, [], error.message)
    fires = [(iso(time), run, reason) for time in times for run, reason in [_decide(trigger, time, times[-1], now)]]
    # what was left out is said once, not for each of a thousand minutes
    told = [fire for fire in fires if fire[1] is not None] or fires[-1:]
    return Firing(trigger, iso(following) if following else None, told)


def _decide(trigger: Trigger, time: datetime, last: datetime, now: datetime) -> tuple[PipelineRun | None, str]:
    late = now - time
    if late.total_seconds() <= LATE_SECONDS:
        return run_of(trigger, "cron", iso(time), iso(now)), ""
    if trigger.missed == "skip":
        return None, "It was missed, and missed times are skipped"
    if late > timedelta(seconds=trigger.grace):
        return None, "It was missed, and its grace time is over"
    if trigger.missed == "one" and time != last:
        return None, "It was missed; only the last of the missed times is made up for"
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
