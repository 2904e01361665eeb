"""Schedules as the words of a command ask for them, in this machine's zone where they name no other."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from zoneinfo import ZoneInfo

from ..core.errors import InvalidInputError
from ..core.messages import Message
from ..core.pipelines.requests import ScheduleRequest


def local_zone() -> str:
    """Name of this machine's zone; UTC where it has none that others know."""
    place = os.environ.get("TZ", "").removeprefix(":") or str(Path("/etc/localtime").resolve())
    name = place.rpartition("zoneinfo/")[2]
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError):
        # not one of the database's, or nothing at all
        return "UTC"


def cron_request(arguments: argparse.Namespace) -> ScheduleRequest | None:
    """The schedule that ``--cron`` and ``--zone`` ask for, None where they ask for none.

    Raises:
        InvalidInputError: a zone is given without times.
    """
    if arguments.cron is None:
        if arguments.zone:
            raise InvalidInputError(
                Message("--zone says by which clock --cron counts; give --cron, too, or leave --zone out.")
            )
        return None
    return ScheduleRequest(kind="cron", cron=arguments.cron, zone=arguments.zone or local_zone())
