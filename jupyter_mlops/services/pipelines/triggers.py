"""Checks requested schedules and triggers, and creates them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec

from ...core.cron import check, next_time
from ...core.errors import InvalidInputError
from ...core.messages import Message
from ...core.pipelines.records import Trigger
from ...core.pipelines.requests import ScheduleRequest
from ...core.record import now
from ...core.values import show
from .firing import next_at

# fsspec's protocols that list folders; the others chain, cache, or read archives
_LISTED = (
    *("file", "local", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "http", "https"),
    *("ftp", "sftp", "ssh", "smb", "webdav", "hdfs", "webhdfs", "memory"),
)


def check_trigger(request: ScheduleRequest, folder: Path) -> None:
    """Refuse invalid triggers, and those that would never fire.

    Args:
        folder: of the pipeline, to which patterns are relative.

    Raises:
        InvalidInputError: says what is wrong with which field.
    """
    if request.grace < 0:
        raise InvalidInputError(Message("The grace time cannot be negative."), {"grace": Message("must be 0 or more")})
    match request.kind:
        case "cron":
            moment = datetime.now(UTC)
            found = check(request.cron, request.zone, moment)
            if found.error:
                raise InvalidInputError(
                    Message.verbatim(found.error), {found.field or "cron": Message.verbatim(found.error)}
                )
            if next_time(request.cron, request.zone, moment) is None:
                raise InvalidInputError(
                    Message("This schedule never fires again."), {"cron": Message("never fires again")}
                )
        case "files":
            if not request.pattern.strip():
                raise InvalidInputError(Message("Say which files to watch."), {"pattern": Message("is empty")})
            _check_address(whole_pattern(request.pattern, folder))
        case "pipeline":
            if not request.upstream:
                raise InvalidInputError(Message("Say which pipeline to follow."), {"upstream": Message("is missing")})
        case "http":
            pass


def _check_address(pattern: str) -> None:
    """Refuse addresses that cannot be listed, without connecting to them."""
    import fsspec

    kind, _, rest = pattern.partition("://") if "://" in pattern else ("file", "", pattern)
    if "::" in pattern or "\0" in pattern or kind not in _LISTED or not rest.strip("/"):
        known = ", ".join(f"{name}://" for name in _LISTED)
        raise InvalidInputError(
            Message(
                "{pattern} cannot be watched. Give a path, or an address of one of these kinds: "
                "{known}; of an archive watch the file itself.",
                pattern=show(pattern),
                known=known,
            ),
            {"pattern": Message("cannot be watched")},
        )
    try:
        fsspec.get_filesystem_class(kind)
    except (ValueError, ImportError) as error:
        raise InvalidInputError(
            Message("{pattern} cannot be watched: {error}.", pattern=show(pattern), error=error),
            {"pattern": Message.verbatim(str(error))},
        ) from error


def whole_pattern(pattern: str, folder: Path) -> str:
    """An address unchanged, a path relative to the pipeline's folder made absolute."""
    pattern = pattern.strip()
    return pattern if "://" in pattern or "::" in pattern else str(folder / os.path.expanduser(pattern))


def short_pattern(pattern: str, folder: Path) -> str:
    """A pattern relative to the pipeline's folder, if it lies below it."""
    return pattern.removeprefix(f"{folder}/")


def trigger_of(pipeline_id: str, request: ScheduleRequest, folder: Path, token_hash: str) -> Trigger:
    """The trigger that a checked request makes."""
    fields = {name: getattr(request, name) for name in ScheduleRequest.__struct_fields__}
    if request.kind == "files":
        fields["pattern"] = whole_pattern(request.pattern, folder)
    trigger = Trigger(id=uuid4().hex, pipeline_id=pipeline_id, token_hash=token_hash, created_at=now(), **fields)
    return msgspec.structs.replace(trigger, next_at=next_at(trigger))
