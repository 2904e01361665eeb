"""When a cron line fires in a time zone, and what is wrong with an invalid one.

On days when clocks change, two rules apply, as in Debian's cron:

- A line that *names times* (neither its minute nor its hour begins with ``*``) fires once for each time it names.
  Times that the clock skips are made up for, once for all of them, at the first moment after the gap; a time that
  comes twice counts the first time.
- Any other line fires whenever the clock shows a minute that matches, so that ``*/15 * * * *`` goes on every 15
  minutes of real time.

cronsim parses the line and steps through local time without a zone. This module maps local to real time, because
cronsim loses times when clocks change by half an hour.

Times are returned in the line's own zone. Convert them to UTC before comparing them (:func:`iso` does): Python compares
times of one zone by local time, and an ambiguous time equals none of another zone.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from .errors import InvalidInputError
from .messages import Message
from .pipelines.requests import CronCheck

_NAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
# per field: name, allowed values, example of a range
_FIELDS = (
    ("minute", "0 to 59", "10-20"),
    ("hour", "0 to 23", "9-17"),
    ("day of the month", "1 to 31, L (the last day), LW (the last working day)", "1-7"),
    ("month", "1 to 12, JAN to DEC", "MAR-JUN"),
    (
        "day of the week",
        "0 to 7 (0 and 7 are Sunday), SUN to SAT, 1#2 (the second Monday), 5L (the last Friday)",
        "MON-FRI",
    ),
)
# Python refuses to parse longer numbers
_MAX_LENGTH = 500
# cronsim searches 50 years from here, which hold every kind of year
_LONG_AGO = datetime(2000, 1, 1)
_FIRST = datetime(1, 1, 3, tzinfo=UTC)
_ENDINGS = {"1": "st", "2": "nd", "3": "rd"}
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


class CronError(InvalidInputError):
    """An invalid cron line or time zone; ``fields`` has the message under ``cron`` or ``zone``."""

    def __init__(self, message: Message, field: str = "cron") -> None:
        super().__init__(message, {field: message})


def next_time(cron: str, zone: str, after: datetime) -> datetime | None:
    """The first time after a moment, in the zone; None if it lies beyond the year 9999.

    Raises:
        CronError: the line or the zone is invalid.
    """
    return next(_fires(cron, zone, after), None)


def next_times(cron: str, zone: str, after: datetime, count: int) -> list[datetime]:
    """The first times after a moment, in the zone.

    Raises:
        CronError: the line or the zone is invalid.
    """
    return list(islice(_fires(cron, zone, after), count))


def times_between(cron: str, zone: str, start: datetime, end: datetime, limit: int | None = None) -> Iterator[datetime]:
    """Times from one moment to another, both included, in the zone.

    Args:
        limit: how many at most, the earliest; None for all.

    Raises:
        CronError: the line or the zone is invalid.
    """
    before, last = _utc(start) - timedelta.resolution, _utc(end)
    return takewhile(lambda moment: moment.astimezone(UTC) <= last, islice(_fires(cron, zone, before), limit))


def iso(moment: datetime) -> str:
    """A moment in the format of records."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def in_words(cron: str) -> Message:
    """A line in cronsim's words, such as “At 06:00 every day”; clock changes are ignored.

    Raises:
        CronError: the line is invalid.
    """
    # cronsim writes 31th
    said = CronSim(_line(cron), _LONG_AGO).explain()
    return Message.verbatim(re.sub(r"\b([2-5][123])th\b", lambda found: found[1] + _ENDINGS[found[1][1]], said))


def check(cron: str, zone: str, now: datetime) -> CronCheck:
    """Check a line while it is typed; errors are returned, not raised."""
    words = Message()
    try:
        words = in_words(cron)
        times = next_times(cron, zone, now, 5)
    except CronError as error:
        return CronCheck(words=words, error=error.message, field="zone" if "zone" in error.fields else "cron")
    return CronCheck(words=words, next=[moment.isoformat() for moment in times])


# -- reading -----------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _line(cron: str) -> str:
    """The five fields of a line that fires."""
    text = cron.strip()
    if not text:
        raise CronError(Message("Write a cron line, such as 0 6 * * * for every day at 06:00."))
    if len(text) > _MAX_LENGTH:
        raise CronError(
            Message(
                "A cron line of {count} characters is too long; {max_length} are enough.",
                count=len(text),
                max_length=_MAX_LENGTH,
            )
        )
    if text.startswith("@"):
        text = _translated(text.lower())
    fields = text.split()
    if len(fields) == 6:
        raise CronError(Message("A cron line has five fields, this one has six: leave out seconds or the year."))
    if len(fields) != 5:
        count = "one field" if len(fields) == 1 else f"{len(fields)} fields"
        raise CronError(
            Message(
                "A cron line has five fields (minute, hour, day, month, weekday), this one has {count}.", count=count
            )
        )
    for index, field in enumerate(fields):
        if not _possible(index, field):
            raise CronError(_wrong(index, field))
    # cronsim extends 5-5/2 to the end of the field
    line = " ".join(re.sub(r"\b(\w+)-\1/\d+", r"\1", field) for field in fields)
    read = _read(line)
    if read is None or next(read, None) is None:
        raise CronError(Message("This line never fires: no day fits its day of the month, month and day of the week."))
    return line


def _read(line: str) -> CronSim | None:
    try:
        return CronSim(line, _LONG_AGO)
    except CronSimError:
        return None


def _possible(index: int, field: str) -> bool:
    return _read(" ".join(field if place == index else "*" for place in range(5))) is not None


def _translated(name: str) -> str:
    if name == "@reboot":
        raise CronError(Message("@reboot names no time: say when it should run, such as @daily."))
    if name not in _NAMES:
        raise CronError(
            Message(
                "There is no {name}: write one of {names}, or five fields.", name=name[:40], names=", ".join(_NAMES)
            )
        )
    return _NAMES[name]


def _wrong(index: int, field: str) -> Message:
    name, allowed, example = _FIELDS[index]
    shown = field if len(field) <= 40 else f"{field[:40]}…"
    found = re.search(r"([^,/-]+)-([^,/-]+)", field)
    if found and all(_possible(index, end) for end in found.groups()):
        return Message(
            "The {name} {shown} goes backwards from {first} to {last}: write it as two ranges with a comma.",
            name=name,
            shown=shown,
            first=found[1],
            last=found[2],
        )
    said = Message(
        "The {name} {shown} is not possible. It may be {allowed}; a range ({example}), a list, steps (*/2) or *.",
        name=name,
        shown=shown,
        allowed=allowed,
        example=example,
    )
    return Message("{said} Write * instead of ?.", said=said) if "?" in field else said


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    if not name.strip():
        raise CronError(Message("Name a time zone, such as UTC or Europe/Berlin."), "zone")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such name; not a name; a folder of names
        close = _close_zone(name)
        hint = f" Did you mean {close}?" if close else " Names are such as UTC or Europe/Berlin."
        raise CronError(Message("There is no time zone {name}.{hint}", name=name[:60], hint=hint), "zone") from None


def _close_zone(name: str) -> str:
    # Etc/GMT+2 lies west of Greenwich, which few users mean by GMT+2
    known = {zone.lower(): zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")}
    wanted = name.strip().lower().replace(" ", "_")
    if wanted == "utc":
        return "UTC"
    cities = {zone.rpartition("/")[2]: zone for zone in sorted(known, reverse=True)}
    for names in (known, cities):
        if close := difflib.get_close_matches(wanted[:60], names, 1, 0.75):
            return known[cities.get(close[0], close[0])]
    return ""


# -- real time ---------------------------------------------------------------------------------


def _fires(cron: str, zone: str, after: datetime) -> Iterator[datetime]:
    line, info = _line(cron), _zone(zone)
    minute, hour, *_ = line.split()
    by_clock = minute.startswith("*") or hour.startswith("*")
    return _in_zone(_shown_times if by_clock else _named_times, line, info, _utc(after).replace(microsecond=0))


def _utc(moment: datetime) -> datetime:
    """In UTC, clamped to what every zone can represent."""
    if moment.tzinfo is None:
        raise ValueError("A moment without a zone is none.")
    try:
        return max(moment.astimezone(UTC), _FIRST)
    except OverflowError:
        return _FIRST if moment.year == 1 else datetime.max.replace(tzinfo=UTC)


def _in_zone(
    times: Callable[[str, ZoneInfo, datetime], Iterator[datetime]], line: str, zone: ZoneInfo, after: datetime
) -> Iterator[datetime]:
    try:
        for moment in times(line, zone, after):
            yield moment.astimezone(zone)
    except OverflowError:  # the calendar ends with the year 9999
        return


def _named_times(line: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Times of a line that names times: each once, even when clocks change."""
    last = after
    for wall in CronSim(line, _wall(zone, after)):
        moment = wall.replace(tzinfo=zone).astimezone(UTC)
        if _wall(zone, moment) != wall:
            # skipped by the clock: with the offset after the gap it lies before the gap
            moment = _change(zone, wall.replace(tzinfo=zone, fold=1).astimezone(UTC), moment) or moment
        # several may be skipped at once, and times repeat when the clock goes back
        if moment > last:
            last = moment
            yield moment


def _shown_times(line: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Times of any other line: whenever the clock shows one."""
    here = after + _SECOND
    walls = CronSim(line, _wall(zone, here) - _SECOND)
    wall = next(walls, None)
    while wall is not None:
        moment = (wall - (_wall(zone, here) - here.replace(tzinfo=None))).replace(tzinfo=UTC)
        change = _change(zone, here, moment)
        if change is None:
            yield moment
            here = moment
            wall = next(walls, None)
        elif _wall(zone, change) <= _wall(zone, here):
            here = change
            walls = CronSim(line, _wall(zone, here) - _SECOND)
            wall = next(walls, None)
        else:
            here = change
            while wall is not None and wall < _wall(zone, here):
                wall = next(walls, None)


def _wall(zone: ZoneInfo, moment: datetime) -> datetime:
    """Local time."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _change(zone: ZoneInfo, early: datetime, late: datetime) -> datetime | None:
    """The first change of the UTC offset after ``early`` and up to ``late``, found by bisection."""
    offset = early.astimezone(zone).utcoffset()
    before = early
    while before < late:
        behind = min(before + _DAY, late)
        if behind.astimezone(zone).utcoffset() != offset:
            while behind - before > _SECOND:
                middle = before + timedelta(seconds=(behind - before) // _SECOND // 2)
                if middle.astimezone(zone).utcoffset() == offset:
                    before = middle
                else:
                    behind = middle
            return behind
        before = behind
    return None
