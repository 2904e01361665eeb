"""Base of the frozen records, which are stored, sent to clients and described by OpenAPI.

Times are ISO 8601 strings in UTC (``2026-11-24T00:13:48.123456+00:00``), which sort as text and are the same in the
store, on the wire and on the command line. Durations are seconds, sizes bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from .messages import Message

# the id of a stored record in a request; a test sends each such field with the id of another root's record
Id = Annotated[str, msgspec.Meta(pattern=r"^[\w-]*$", max_length=100, extra_json_schema={"format": "id"})]
# limits of requests; the API reports violations in sentences
MAX_SECONDS = 315_360_000  # ten years, which can be added to any date
MAX_INTEGER = 2**31 - 1  # maximum of an integer column in PostgreSQL
Name = Annotated[str, msgspec.Meta(max_length=250)]
Text = Annotated[str, msgspec.Meta(max_length=100_000)]
FilePath = Annotated[str, msgspec.Meta(max_length=4_096)]
Integer = Annotated[int, msgspec.Meta(le=MAX_INTEGER)]
Seconds = Annotated[float, msgspec.Meta(le=MAX_SECONDS)]
Timestamp = Annotated[str, msgspec.Meta(max_length=64, extra_json_schema={"format": "date-time"})]
Names = Annotated[list[Name], msgspec.Meta(max_length=1_000)]
Values = Annotated[dict[Name, Any], msgspec.Meta(max_length=1_000)]


def now() -> str:
    """The present time in the format of records."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def seconds_between(earlier: str, later: str) -> float:
    """Seconds between two times in the format of records."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def no_message() -> Any:
    """The default of a message in a record. OpenAPI cannot show a message as a default, so each is made anew."""
    return msgspec.field(default_factory=Message)


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all records: immutable, with named fields; decoding refuses unknown names."""
