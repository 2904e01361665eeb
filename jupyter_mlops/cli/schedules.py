"""``jupyter mlops schedule``: run pipelines at times, also at times that have passed."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ..core.errors import InvalidInputError
from ..core.messages import Message
from ..core.pipelines.requests import BackfillRequest, ScheduleRequest
from . import triggers
from .output import note, print_json, when_text
from .parser import WHICH_PIPELINE, Noun, add_cron, duration

if TYPE_CHECKING:
    from .session import Session

EPILOG = WHICH_PIPELINE
_MOST_TIMES = 20


def add_actions(noun: Noun) -> None:
    """Everything that can be done with schedules."""
    triggers.add_shared(noun, "schedule")
    parser = noun.add("add", _add, "Run a pipeline at times.", "PIPELINE", epilog=WHICH_PIPELINE)
    add_cron(parser, "Run it at these times, such as “0 6 * * mon-fri”.", required=True)
    parser.add_argument(
        "--missed",
        choices=("one", "skip", "all"),
        default="one",
        help="Make up for one (default), none or all of the times at which no service was running.",
    )
    parser.add_argument(
        "--grace", type=duration, default=86_400.0, metavar="TIME", help="Make up for no older ones (default: a day)."
    )
    triggers.add_run_options(parser)
    parser = noun.add(
        "backfill",
        _backfill,
        "Run a pipeline for the times of its schedule that lie in a range.",
        "PIPELINE",
        more="Times that have fired already are not repeated.",
        epilog=WHICH_PIPELINE,
    )
    parser.add_argument("--from", dest="start", metavar="TIME", required=True, help="Begin here, such as 2026-01-31.")
    parser.add_argument("--to", dest="end", metavar="TIME", required=True, help="End here; this time is included.")
    parser.add_argument("--schedule", default="", help="Take this schedule, where there are several.")
    parser.add_argument("--dry-run", action="store_true", help="Only list these times.")


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


def _add(session: Session, arguments: argparse.Namespace) -> int:
    return triggers.create(
        session,
        arguments,
        "schedule",
        kind="cron",
        cron=arguments.cron,
        zone=arguments.zone or local_zone(),
        missed=arguments.missed,
        grace=arguments.grace,
    )


def _backfill(session: Session, arguments: argparse.Namespace) -> int:
    pipeline = session.find_pipeline(arguments.pipeline)
    schedule = session.find_trigger(arguments.schedule, timed=True).id if arguments.schedule else ""
    request = BackfillRequest(start=arguments.start, end=arguments.end, trigger_id=schedule, dry_run=arguments.dry_run)
    answer = session.pipelines.backfill(pipeline.id, request)
    if not arguments.dry_run:
        session.wake()
    if arguments.json:
        print_json({"backfill": answer})
        return 0
    for time in answer.times[:_MOST_TIMES]:
        print(when_text(time))
    if len(answer.times) > _MOST_TIMES:
        print(f"… and {len(answer.times) - _MOST_TIMES:,} more")
    new = len(answer.times) - answer.known
    known = f"; {answer.known:,} of {len(answer.times):,} fired already" if answer.known else ""
    made = "would be made" if arguments.dry_run else f"wait{'s' * (new == 1)} for {'its' if new == 1 else 'their'} turn"
    note(f"{new:,} run{'s' * (new != 1)} of “{pipeline.name}” {made}{known}.")
    return 0
