"""The times of a schedule that lie in a range."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from ...core.cron import iso, times_between
from ...core.errors import InvalidInputError
from ...core.pipelines.records import Trigger
from ...core.pipelines.requests import BackfillRequest
from ...store import Store

MOST = 5_000


def times_of(store: Store, pipeline_id: str, request: BackfillRequest) -> tuple[Trigger, list[str]]:
    """The schedule meant, and its times in the range asked for.

    Raises:
        InvalidInputError: there is no such schedule, or the range makes no sense.
    """
    schedules = [trigger for trigger in store.triggers(pipeline_id) if trigger.kind == "cron"]
    if request.trigger_id:
        schedules = [trigger for trigger in schedules if trigger.id == request.trigger_id]
    if not schedules:
        raise InvalidInputError("This pipeline has no such schedule; only a schedule's times can be made up for.")
    if len(schedules) > 1:
        raise InvalidInputError(
            "This pipeline has several schedules; say which one is meant.", {"trigger_id": "is missing"}
        )
    trigger = schedules[0]
    start = _moment("start", request.start, trigger.zone, time.min)
    end = _moment("end", request.end, trigger.zone, time.max)
    if end.astimezone(UTC) < start.astimezone(UTC):
        raise InvalidInputError("The end lies before the start.", {"end": "lies before the start"})
    if start.astimezone(UTC) > datetime.now(UTC):
        raise InvalidInputError(
            "This range lies in the future, where the schedule fires by itself.", {"start": "lies ahead"}
        )
    end = min(end.astimezone(UTC), datetime.now(UTC))
    times = list(islice(times_between(trigger.cron, trigger.zone, start, end), MOST + 1))
    if len(times) > MOST:
        raise InvalidInputError(
            f"More than {MOST:,} times lie in this range; make it shorter.", {"start": "is too early"}
        )
    return trigger, [iso(moment) for moment in times]


def _moment(field: str, text: str, zone: str, of_day: time) -> datetime:
    try:
        if len(text) <= len("2026-01-31"):
            moment = datetime.combine(date.fromisoformat(text), of_day)
        else:
            moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(
            f"“{text}” is no date; write 2026-01-31 or 2026-01-31T06:00.", {field: "is no date"}
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    try:
        moment.astimezone(UTC)
        moment.astimezone(UTC) - timedelta(days=1)
    except OverflowError:
        raise InvalidInputError(f"“{text}” is out of the calendar.", {field: "is out of range"}) from None
    return moment
