"""The frozen records that the store keeps, the wire carries and OpenAPI describes.

Times are ISO 8601 strings in UTC (``2026-11-24T00:13:48.123456+00:00``): sortable as text, and the
same in the store, on the wire and on the command line. Durations are seconds, sizes bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

# names a record of the store in a request; a test gives every route one of another root for each such field
Id = Annotated[str, msgspec.Meta(pattern=r"^[\w-]*$", max_length=100, extra_json_schema={"format": "id"})]
# what requests may hold; its boundary says it in sentences
MAX_SECONDS = 315_360_000  # ten years: a moment that far away is still in the calendar
MAX_INTEGER = 2**31 - 1  # an integer column of PostgreSQL ends here
Name = Annotated[str, msgspec.Meta(max_length=250)]
Text = Annotated[str, msgspec.Meta(max_length=100_000)]
FilePath = Annotated[str, msgspec.Meta(max_length=4_096)]
Integer = Annotated[int, msgspec.Meta(le=MAX_INTEGER)]
Seconds = Annotated[float, msgspec.Meta(le=MAX_SECONDS)]
Timestamp = Annotated[str, msgspec.Meta(max_length=64, extra_json_schema={"format": "date-time"})]
Names = Annotated[list[Name], msgspec.Meta(max_length=1_000)]
Values = Annotated[dict[Name, Any], msgspec.Meta(max_length=1_000)]


def now() -> str:
    """The present moment as records write it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one moment, as records write it, to another."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all records: immutable, named fields, unknown names refused when decoded."""
