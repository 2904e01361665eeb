"""Finds files under a pattern that are new or changed since the last look."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ...core.errors import InvalidInputError, UnavailableError
from ...core.messages import Message
from ...core.pipelines.records import PipelineRun, Trigger
from ...core.record import now
from .firing import run_of

# pipeline parameter with the files that triggered the run
FILES = "trigger_files"
MOST_FILES = 100_000
MOST_NAMED = 1_000
MOST_PATIENCE = 60.0  # s to wait for further files before the first ones fire


def signatures(pattern: str) -> dict[str, str]:
    """A fingerprint of each matching file, by address.

    Raises:
        UnavailableError: the storage cannot be read now.
        InvalidInputError: the kind of address is unknown, or too many files match.
    """
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(pattern)
        # fsspec caches listings
        filesystem.invalidate_cache()
        found = filesystem.glob(path, detail=True)
    except (ValueError, ImportError) as error:
        raise InvalidInputError(
            Message("“{pattern}” is no address that can be watched: {error}.", pattern=pattern, error=error),
            {"pattern": Message("unknown")},
        ) from error
    except Exception as error:
        # each storage raises its own errors
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
    """Compare the matching files with the last look.

    A file counts when it was the same in two consecutive looks, so that it is complete. Files present at
    the first look do not fire.

    Args:
        state: returned by the last look, None before the first.

    Returns:
        the state for the next look, and the run to create, None if nothing is new.
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
        # wait for the rest of a batch, so that it makes one run
        kept = {name: mark for name, mark in known.items() if name in seen}
        return {"known": kept, "fresh": different, "since": since if different else ""}, None
    run = run_of(trigger, "files", at, at)
    parameters = {**run.parameters, FILES: sorted(settled)[:MOST_NAMED]}
    kept = {name: mark for name, mark in seen.items() if name not in unsettled}
    return {"known": kept, "fresh": unsettled}, msgspec.structs.replace(run, parameters=parameters)
