"""What a person asks for as a schedule or trigger: checked, and made."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec

from ...core.cron import check, next_time
from ...core.errors import InvalidInputError
from ...core.pipelines.records import Trigger
from ...core.pipelines.requests import ScheduleRequest
from ...core.record import now
from .firing import next_at


def check_trigger(request: ScheduleRequest, folder: Path) -> None:
    """Refuse what would never fire, or cannot be understood.

    Args:
        folder: of the pipeline, to which patterns are relative.

    Raises:
        InvalidInputError: says what is wrong with which field.
    """
    if request.grace < 0:
        raise InvalidInputError("The grace time cannot be negative.", {"grace": "must be 0 or more"})
    match request.kind:
        case "cron":
            moment = datetime.now(UTC)
            found = check(request.cron, request.zone, moment)
            if found.error:
                raise InvalidInputError(found.error, {found.field or "cron": found.error})
            if next_time(request.cron, request.zone, moment) is None:
                raise InvalidInputError("This schedule never fires again.", {"cron": "never fires again"})
        case "files":
            if not request.pattern.strip():
                raise InvalidInputError("Say which files to watch.", {"pattern": "is empty"})
            _check_address(whole_pattern(request.pattern, folder))
        case "pipeline":
            if not request.upstream:
                raise InvalidInputError("Say which pipeline to follow.", {"upstream": "is missing"})
        case "http":
            pass


def _check_address(pattern: str) -> None:
    import fsspec

    try:
        fsspec.core.url_to_fs(pattern)
    except (ValueError, ImportError) as error:
        raise InvalidInputError(f"“{pattern}” cannot be watched: {error}.", {"pattern": str(error)}) from error


def whole_pattern(pattern: str, folder: Path) -> str:
    """A pattern with its place: an address as it is, a path from the pipeline's folder."""
    pattern = pattern.strip()
    return pattern if "://" in pattern or "::" in pattern else str(folder / Path(pattern).expanduser())


def short_pattern(pattern: str, folder: Path) -> str:
    """A whole pattern as a person wrote it, where it lies below the pipeline's folder."""
    return pattern.removeprefix(f"{folder}/")


def trigger_of(pipeline_id: str, request: ScheduleRequest, folder: Path, token_hash: str) -> Trigger:
    """The trigger that a checked request makes."""
    fields = {name: getattr(request, name) for name in ScheduleRequest.__struct_fields__}
    if request.kind == "files":
        fields["pattern"] = whole_pattern(request.pattern, folder)
    trigger = Trigger(id=uuid4().hex, pipeline_id=pipeline_id, token_hash=token_hash, created_at=now(), **fields)
    return msgspec.structs.replace(trigger, next_at=next_at(trigger))
