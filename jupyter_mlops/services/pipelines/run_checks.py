"""What is looked at of whatever runs a pipeline, be it a person or a call."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ...core.cron import iso
from ...core.errors import InvalidInputError
from ...store import Store


def check_parameters(store: Store, pipeline_id: str, number: int, parameters: dict[str, Any]) -> None:
    """Refuse parameters that a version does not have.

    Raises:
        InvalidInputError: it has no such parameter; says which it has.
    """
    known = store.version(pipeline_id, number).definition.parameters
    unknown = [name for name in parameters if name not in known]
    if unknown:
        has = f"it has {', '.join(known)}" if known else "it has none"
        raise InvalidInputError(
            f"This pipeline has no parameter “{unknown[0]}”; {has}.", {"parameters": f"{unknown[0]} is unknown"}
        )


def moment_of(text: str) -> str:
    """A time that a person gave, as records write it; without a zone it is UTC's."""
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(
            f"“{text}” is no time; write 2026-01-31T06:00+01:00.", {"scheduled_time": "is no time"}
        ) from None
    return iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
