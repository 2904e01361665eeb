"""A year of schedules in zones that put their clocks forward and back, against a reference that looks at every minute.

The times are computed twice: all of the year at once, and turn by turn as a service fires them, by a simulated clock
that is always a little late and now and then stands still, as that of a machine that sleeps does. The zones change at
midnight, at night and at a quarter to three, by one hour, half an hour and two hours, north and south of the equator.
The reference (tests/cron_reference.py) shares no code with the package.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
from common import ROOT, machine, parser, publish, table

from jupyter_mlops.core.cron import in_words, iso, times_between
from jupyter_mlops.core.pipelines.records import Trigger
from jupyter_mlops.services.pipelines.firing import due, next_at

sys.path.insert(0, str(ROOT / "tests"))
from cron_reference import expected, minutes_of

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Antarctica/Troll",
)
LINES = (
    *("30 2 * * *", "0 6 * * *", "30 1 * * *", "0 0 * * *", "15,45 1,2 * * *", "0 0-23 * * *", "0/20 1-4 * * *"),
    *("*/15 * * * *", "7 * * * *", "*/15 2 * * *", "*/10 1-3 * * SUN", "* 0-4 * 3,4,9-11 *", "*/7 */3 * * *"),
    *("0 9 * * MON-FRI", "0 2 * * 0", "30 3 1-7 * */7", "0 9 13 * 5", "0 2 L * *", "45 1 * * 0L", "0 0 LW * 1#1"),
)
LATE = timedelta(seconds=30)
ASLEEP = timedelta(hours=6)
OFTEN_ASLEEP = 0.02  # of all turns
Times = Callable[[str, str, datetime, datetime], list[datetime]]


def at_once(cron: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """All times of the year, as the package computes them."""
    return [moment.astimezone(UTC) for moment in times_between(cron, zone, start, end)]


def turn_by_turn(cron: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """The times for which a service makes runs, one turn after the other."""
    chance = random.Random(cron + zone)
    trigger = Trigger(id="t", pipeline_id="p", cron=cron, zone=zone, missed="all", grace=ASLEEP.total_seconds() * 2)
    trigger = msgspec.structs.replace(trigger, next_at=next_at(trigger, start - timedelta.resolution))
    fired: list[datetime] = []
    while trigger.next_at is not None and trigger.next_at <= iso(end):
        moment = datetime.fromisoformat(trigger.next_at) + LATE * chance.random()
        if chance.random() < OFTEN_ASLEEP:
            moment += ASLEEP * chance.random()
        firing = due(trigger, min(moment, max(end, datetime.fromisoformat(trigger.next_at))))
        fired += [datetime.fromisoformat(at) for at, run, _ in firing.due if run is not None]
        trigger = msgspec.structs.replace(trigger, next_at=firing.next_at)
    return fired


class Tally:
    """What became of one line, in all zones."""

    def __init__(self) -> None:
        self.fires: list[int] = []
        self.doubles = self.gaps = self.strange = 0

    def add(self, wanted: list[datetime], got: list[datetime]) -> None:
        """Count one zone's."""
        counts = Counter(got)
        self.fires.append(len(got))
        self.doubles += sum(counts.values()) - len(counts)
        self.gaps += len(set(wanted) - set(counts))
        self.strange += len(set(counts) - set(wanted)) + (got != sorted(got))

    def cells(self) -> tuple[int, ...]:
        """Of a row."""
        return *self.fires, self.doubles, self.gaps, self.strange


def compare(times: Times, year: int) -> dict[str, Tally]:
    """Fire times of a function against the reference's, by line."""
    start = datetime(year, 1, 1, tzinfo=UTC)
    end = datetime(year + 1, 1, 1, tzinfo=UTC) - timedelta(minutes=1)
    found = {line: Tally() for line in LINES}
    for zone in ZONES:
        for line, tally in found.items():
            tally.add(expected(line, zone, start, end), times(line, zone, start, end))
    return found


def changes(zone: str, year: int) -> list[str]:
    """When the clock is put forward or back, and by how much."""
    start = datetime(year, 1, 1, tzinfo=UTC)
    offsets = [
        (wall, wall - moment.replace(tzinfo=None))
        for moment, wall in minutes_of(zone, start, start.replace(year=year + 1) - timedelta(minutes=1))
    ]
    return [f"{before:%d %b %H:%M} → {wall:%H:%M}" for (before, old), (wall, new) in pairwise(offsets) if new != old]


def main() -> None:
    """Compare, print."""
    options = parser(__doc__)
    options.add_argument("--year", type=int, default=2026)
    chosen = options.parse_args()
    where = machine()
    found, computed = compare(turn_by_turn, chosen.year), compare(at_once, chosen.year)
    cities = tuple(ZoneInfo(zone).key.rpartition("/")[2] for zone in ZONES)
    head = ("line", "in words", *cities, "twice", "missing", "not wanted")
    rows = [(f"`{line}`", in_words(line), *tally.cells()) for line, tally in found.items()]
    sums = [sum(column) for column in zip(*(tally.cells() for tally in found.values()), strict=True)]
    text = table(head, [*rows, ("**all**", "", *sums)])
    wrong = sum(tally.doubles + tally.gaps + tally.strange for tally in computed.values())
    clocks = "; ".join(f"{zone} {', '.join(changes(zone, chosen.year))}" for zone in ZONES)
    text += f"\n\nThe year {chosen.year}. The last minute before a change and the first one after it: {clocks}."
    all_times = sum(sum(tally.fires) for tally in computed.values())
    text += f"\n\nComputed all at once, {wrong} of {all_times:,} times are wrong."
    publish("cron", text, where, write=chosen.write)
    if wrong or any(sums[len(ZONES) :]):
        raise SystemExit("The package's times are not those of the reference.")


if __name__ == "__main__":
    main()
