"""What is looked at of whatever runs a pipeline, be it a person or a call."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, tzinfo
from typing import Any

from ...core.errors import InvalidInputError
from ...core.messages import Message
from ...core.values import show
from ...store import Store


def check_parameters(store: Store, pipeline_id: str, number: int, parameters: dict[str, Any]) -> None:
    """Refuse parameters that a version does not have.

    Raises:
        InvalidInputError: it has no such parameter; says which it has.
    """
    known = store.pipelines.version(pipeline_id, number).definition.parameters
    unknown = [name for name in parameters if name not in known]
    if unknown:
        has = f"it has {', '.join(known)}" if known else "it has none"
        raise InvalidInputError(
            Message("This pipeline has no parameter “{unknown}”; {has}.", unknown=unknown[0], has=has),
            {"parameters": Message("{unknown} is unknown", unknown=unknown[0])},
        )


def moment_of(text: str, field: str = "scheduled_time", zone: tzinfo = UTC, of_day: time = time.min) -> datetime:
    """A moment that a person gave, in UTC, as far from the ends of the calendar as to reckon with it.

    Args:
        text: an ISO date or time.
        field: that holds it, for the error.
        zone: of a time that names none.
        of_day: of a date alone.

    Raises:
        InvalidInputError: it is none, or lies at the ends of the calendar.
    """
    try:
        moment = datetime.combine(date.fromisoformat(text), of_day) if len(text) <= 10 else datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(
            Message("{text} is no time; write 2026-01-31 or 2026-01-31T06:00+01:00.", text=show(text)),
            {field: Message("is no time")},
        ) from None
    if not 1 < moment.year < 9999:
        raise InvalidInputError(
            Message("{text} is out of the calendar.", text=show(text)), {field: Message("is out of range")}
        )
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
