"""When cron lines fire, worked out with patience: every minute of a stretch of time is looked at.

Shares nothing with the package: it reads the fields itself, and knows neither cronsim nor any short cut.

The rule, where clocks are changed:

- A line whose minute and hour both begin with no ``*`` names times. A time is due at the first minute at which the
  clock shows it or a later one, and never again: in a gap all that were skipped are due together, once, at its end;
  what the clock shows a second time is over.
- Any other line is due at every minute at which the clock shows a match.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
MONTHS = ("", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def expected(cron: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Moments, in UTC, from one whole minute to another, both included."""
    minute, hour, *_ = cron.split()
    if minute.startswith("*") or hour.startswith("*"):
        return [moment for moment, wall in minutes_of(zone, start, end) if _matches(cron, wall)]
    found = []
    highest = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None) - MINUTE
    for moment, wall in minutes_of(zone, start, end):
        if wall > highest:
            skipped = (wall - highest) // MINUTE
            if any(_matches(cron, highest + MINUTE * (k + 1)) for k in range(skipped)):
                found.append(moment)
            highest = wall
    return found


@lru_cache(maxsize=1)
def minutes_of(zone: str, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Every minute in UTC, and what the clock shows then."""
    return list(_minutes_of(ZoneInfo(zone), start.astimezone(UTC), end))


def _minutes_of(zone: ZoneInfo, moment: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    while moment <= end:
        yield moment, moment.astimezone(zone).replace(tzinfo=None, fold=0)
        moment += MINUTE


def _matches(cron: str, wall: datetime) -> bool:
    minutes, hours, months = numbers_of(cron)
    return wall.minute in minutes and wall.hour in hours and wall.month in months and is_day(cron, wall.date())


@lru_cache(maxsize=1024)
def numbers_of(cron: str) -> tuple[set[int], set[int], set[int]]:
    """Minutes, hours and months of a line."""
    minute, hour, _, month, _ = cron.upper().split()
    return _numbers(minute, 0, 59), _numbers(hour, 0, 23), _numbers(month, 1, 12, MONTHS)


@lru_cache(maxsize=100_000)
def is_day(cron: str, day: date) -> bool:
    """Whether a line's two fields of days fit a day, whatever its month."""
    _, _, in_month, _, in_week = cron.upper().split()
    dates = any(_is_date(term, day) for term in in_month.split(","))
    weekdays = any(_is_weekday(term, day) for term in in_week.split(","))
    if in_month.startswith("*") or in_week.startswith("*"):
        return dates and weekdays
    return dates or weekdays


def _is_date(term: str, day: date) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    if term == "L":
        return day.day == last
    if term == "LW":
        working = [n for n in range(1, last + 1) if day.replace(day=n).weekday() < 5]
        return day.day == working[-1]
    return day.day in _numbers(term, 1, 31)


def _is_weekday(term: str, day: date) -> bool:
    name, mark, which = term.partition("#")
    if mark:
        return day.isoweekday() % 7 == _one(name, WEEKDAYS) % 7 and (day.day - 1) // 7 + 1 == int(which)
    if term.endswith("L"):
        return day.isoweekday() % 7 == int(term[:-1]) % 7 and (day + timedelta(days=7)).month != day.month
    return day.isoweekday() % 7 in {number % 7 for number in _numbers(term, 0, 7, WEEKDAYS)}


def _numbers(field: str, low: int, high: int, names: tuple[str, ...] = ()) -> set[int]:
    found: set[int] = set()
    for term in field.split(","):
        body, stepped, step = term.partition("/")
        first, ranged, last = body.partition("-")
        if body == "*":
            numbers = range(low, high + 1)
        elif ranged:
            numbers = range(_one(first, names), _one(last, names) + 1)
        else:
            numbers = range(_one(first, names), (high if stepped else _one(first, names)) + 1)
        found.update(numbers[:: int(step or 1)])
    return found


def _one(text: str, names: tuple[str, ...]) -> int:
    return names.index(text) if text in names else int(text)
