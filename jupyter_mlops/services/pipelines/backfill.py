"""The times of a schedule in a range."""

from __future__ import annotations

from datetime import UTC, datetime, time
from itertools import islice
from zoneinfo import ZoneInfo

from ...core.cron import iso, times_between
from ...core.errors import InvalidInputError
from ...core.messages import Message
from ...core.pipelines.records import Trigger
from ...core.pipelines.requests import BackfillRequest
from ...store import Store
from .run_checks import moment_of

MOST = 5_000


def times_of(store: Store, pipeline_id: str, request: BackfillRequest) -> tuple[Trigger, list[str]]:
    """The requested schedule, and its times in the requested range.

    Raises:
        InvalidInputError: there is no such schedule, or the range is invalid.
    """
    schedules = [trigger for trigger in store.triggers.find(pipeline_id) if trigger.kind == "cron"]
    if request.trigger_id:
        schedules = [trigger for trigger in schedules if trigger.id == request.trigger_id]
    if not schedules:
        raise InvalidInputError(
            Message("This pipeline has no such schedule; only a schedule's times can be made up for.")
        )
    if len(schedules) > 1:
        known = "; ".join(f"{trigger.id[:8]} ({trigger.cron}, {trigger.zone})" for trigger in schedules)
        raise InvalidInputError(
            Message("This pipeline has several schedules; say which one is meant: {known}.", known=known),
            {"trigger_id": Message("is missing")},
        )
    trigger = schedules[0]
    start = moment_of(request.start, "start", ZoneInfo(trigger.zone))
    end = moment_of(request.end, "end", ZoneInfo(trigger.zone), time.max)
    if end < start:
        raise InvalidInputError(Message("The end lies before the start."), {"end": Message("lies before the start")})
    if start > datetime.now(UTC):
        raise InvalidInputError(
            Message("This range lies in the future, where the schedule fires by itself."),
            {"start": Message("lies ahead")},
        )
    end = min(end, datetime.now(UTC))
    times = list(islice(times_between(trigger.cron, trigger.zone, start, end), MOST + 1))
    if len(times) > MOST:
        raise InvalidInputError(
            Message("More than {most:,} times lie in this range; make it shorter.", most=MOST),
            {"start": Message("is too early")},
        )
    return trigger, [iso(moment) for moment in times]
