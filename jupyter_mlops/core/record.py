"""The frozen records that the store keeps, the wire carries and OpenAPI describes.

Times are ISO 8601 strings in UTC (``2026-11-24T00:13:48.123456+00:00``): sortable as text, and the
same in the store, on the wire and on the command line. Durations are seconds, sizes bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec

# names a record of the store in a request; a test gives every route one of another root for each such field
Id = Annotated[str, msgspec.Meta(pattern=r"^[\w-]*$", max_length=100, extra_json_schema={"format": "id"})]


def now() -> str:
    """The present moment as records write it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one moment, as records write it, to another."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all records: immutable, named fields, unknown names refused when decoded."""
