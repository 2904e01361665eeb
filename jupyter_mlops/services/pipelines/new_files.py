"""Which files under a pattern are new or different since the last look."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ...core.errors import InvalidInputError, UnavailableError
from ...core.messages import Message
from ...core.pipelines.records import PipelineRun, Trigger
from ...core.record import now
from .firing import run_of

# parameter of the pipeline in which it finds the files that made it run
FILES = "trigger_files"
MOST_FILES = 100_000
MOST_NAMED = 1_000
MOST_PATIENCE = 60.0  # s that files may go on coming before those that came first are taken


def signatures(pattern: str) -> dict[str, str]:
    """What tells one state of each file from another, by address.

    Raises:
        UnavailableError: the place cannot be read now.
        InvalidInputError: there is no such kind of address, or too many files are there.
    """
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(pattern)
        # what an earlier look saw must not be shown again
        filesystem.invalidate_cache()
        found = filesystem.glob(path, detail=True)
    except (ValueError, ImportError) as error:
        raise InvalidInputError(
            Message("“{pattern}” is no address that can be watched: {error}.", pattern=pattern, error=error),
            {"pattern": Message("unknown")},
        ) from error
    except Exception as error:
        # each kind of storage has failures of its own
        raise UnavailableError(
            Message(
                "“{pattern}” cannot be read: {name}: {error}.", pattern=pattern, name=type(error).__name__, error=error
            )
        ) from error
    files = {
        filesystem.unstrip_protocol(name) if "://" in pattern else name: _signature(info)
        for name, info in found.items()
        if info.get("type") == "file"
    }
    if len(files) > MOST_FILES:
        raise InvalidInputError(
            Message(
                "“{pattern}” matches {count:,} files, more than {most_files:,}; make it narrower.",
                pattern=pattern,
                count=len(files),
                most_files=MOST_FILES,
            )
        )
    return files


def _signature(info: dict[str, Any]) -> str:
    marks = [
        info.get(name) for name in ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated")
    ]
    return "|".join(str(mark) for mark in (info.get("size"), *marks) if mark is not None)


def look(trigger: Trigger, state: Any) -> tuple[dict[str, Any], PipelineRun | None]:
    """Look once.

    A file counts once it was the same in two looks: nobody is writing it any more. What is there at the first look
    is known, and fires nothing.

    Args:
        state: that the last look left, None before the first.

    Returns:
        what to keep until the next look, and the run to be made, None where nothing is new.
    """
    seen = signatures(trigger.pattern)
    if state is None:
        return {"known": seen, "fresh": {}}, None
    known, fresh = state["known"], state["fresh"]
    different = {name: mark for name, mark in seen.items() if known.get(name) != mark}
    settled = {name for name, mark in different.items() if fresh.get(name) == mark}
    unsettled = {name: mark for name, mark in different.items() if name not in settled}
    at = now()
    since = state.get("since") or at
    waited = (datetime.fromisoformat(at) - datetime.fromisoformat(since)).total_seconds()
    if not settled or (unsettled and waited < MOST_PATIENCE):
        # a flood is waited out, and makes one run
        kept = {name: mark for name, mark in known.items() if name in seen}
        return {"known": kept, "fresh": different, "since": since if different else ""}, None
    run = run_of(trigger, "files", at, at)
    parameters = {**run.parameters, FILES: sorted(settled)[:MOST_NAMED]}
    kept = {name: mark for name, mark in seen.items() if name not in unsettled}
    return {"known": kept, "fresh": unsettled}, msgspec.structs.replace(run, parameters=parameters)
