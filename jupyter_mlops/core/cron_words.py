"""A cron line in plain words, derived from the times it matches and not from its notation.

So ``*/7`` is not called every 7 minutes, which it is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from cronsim import CronSim

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# more are summarized
_FEW_TIMES = 6


def words_of(
    minutes: Iterable[int],
    hours: Iterable[int],
    days: Iterable[int],
    months: Iterable[int],
    weekdays: Iterable[Any],
    *,
    both: bool,
) -> str:
    """A sentence without its full stop.

    Args:
        days: of the month; also cronsim's marks for the last one and the last working one.
        weekdays: 0 to 7, or pairs of one of these and which one of the month.
        both: whether a day must be among ``days`` and among ``weekdays``, or among one of them.
    """
    in_month = sorted(set(days))
    plain = sorted({day % 7 for day in weekdays if isinstance(day, int)})
    # an nth Monday is redundant beside all Mondays
    nth = sorted({(day[0] % 7, day[1]) for day in weekdays if not isinstance(day, int) and day[0] % 7 not in plain})
    every_date, every_weekday = set(range(1, 32)) <= set(in_month), len(plain) == 7
    chosen = sorted(set(months))
    if (every_date and every_weekday) or (not both and (every_date or every_weekday)):
        return _every_day(sorted(set(minutes)), sorted(set(hours)), chosen)
    dates = f"on {_dates(in_month)} of {_month_names(chosen)}{_if_any(in_month, chosen)}"
    on_weekdays = f"on {_weekdays(plain, nth)}{_rest_of_weekdays(nth, chosen)}"
    if every_date:
        where = on_weekdays
    elif every_weekday:
        where = dates
    elif both:
        where = f"{dates}, but only if that is {_one_of(plain, nth)}"
    else:
        where = f"{dates}, and also {on_weekdays}"
    time, _ = _time(sorted(set(minutes)), sorted(set(hours)))
    return f"{time} {where}"


def _every_day(minutes: list[int], hours: list[int], months: list[int]) -> str:
    time, listed = _time(minutes, hours)
    where = "" if len(months) == 12 else f" in {_month_names(months)}"
    if listed:
        return f"Every day{where} a{time[1:]}"
    return time + where


# -- times of the day --------------------------------------------------------------------------


def _time(minutes: list[int], hours: list[int]) -> tuple[str, bool]:
    """The times of a day, and whether they are listed one by one."""
    first, last = _clock(hours[0], minutes[0]), _clock(hours[-1], minutes[-1])
    step = _step(hours)
    if len(hours) == 24:
        return _in_every_hour(minutes), False
    if len(minutes) * len(hours) <= _FEW_TIMES and not (step == 1 and len(hours) > 3):
        return "At " + _and(_clock(hour, minute) for hour in hours for minute in minutes), True
    if len(minutes) == 1 and step:
        return f"Every {'hour' if step == 1 else f'{step} hours'} from {first} to {last}", False
    if step == 1 or len(hours) == 1:
        if len(minutes) == 60:
            return f"Every minute from {first} to {last}", False
        between = _step(minutes)
        if between and between > 1 and (len(hours) == 1 or _goes_round(minutes)):
            return f"Every {between} minutes from {first} to {last}", False
        if between == 1 and len(hours) == 1:
            return f"Every minute from {first} to {last}", False
        if len(hours) > 1:
            return f"{_at_minutes(minutes)} of each hour from {_clock(hours[0], 0)} to {_clock(hours[-1], 59)}", False
    of = f"hour {hours[0]}" if len(hours) == 1 else f"the hours {_runs(hours)}"
    return f"{_at_minutes(minutes)} of {of}", False


def _in_every_hour(minutes: list[int]) -> str:
    if len(minutes) == 60:
        return "Every minute"
    if len(minutes) > 1 and minutes[0] == 0 and _goes_round(minutes):
        return f"Every {minutes[1]} minutes"
    if minutes == [0]:
        return "Every hour"
    what = f"minute {minutes[0]}" if len(minutes) == 1 else f"minutes {_runs(minutes)}"
    return f"Every hour at {what}"


def _at_minutes(minutes: list[int]) -> str:
    if len(minutes) == 60:
        return "Every minute"
    return f"At minute {minutes[0]}" if len(minutes) == 1 else f"At minutes {_runs(minutes)}"


def _clock(hour: int, minute: int) -> str:
    return f"{hour:02}:{minute:02}"


def _step(numbers: list[int]) -> int:
    """The common difference of at least three numbers, 0 without one."""
    steps = {b - a for a, b in pairwise(numbers)}
    return steps.pop() if len(steps) == 1 and len(numbers) > 2 else 0


def _goes_round(minutes: list[int]) -> bool:
    """Whether the interval continues into the next hour."""
    return {b - a for a, b in zip(minutes, [*minutes[1:], minutes[0] + 60], strict=True)} == {60 // len(minutes)}


# -- days --------------------------------------------------------------------------------------


def _dates(days: list[int]) -> str:
    numbers = [day for day in days if day > 0]
    step = _step(numbers)
    if step > 1 and len(numbers) == len(days) >= _FEW_TIMES:
        return f"every {_ordinal(step)} day from the {_ordinal(days[0])} to the {_ordinal(days[-1])}"
    parts = [_ordinal(a) if a == b else f"{_ordinal(a)} to {_ordinal(b)}" for a, b in _stretches(numbers)]
    if CronSim.LAST in days and not {28, 29, 30, 31} <= set(days):
        parts.append("last day")
    if CronSim.LAST_WEEKDAY in days:
        parts.append("last working day (Monday to Friday)")
    return "the " + _and(parts)


def _if_any(days: list[int], months: list[int]) -> str:
    """Restriction for months that lack such a day."""
    numbers = [day for day in days if day > 0]
    if not numbers or max(numbers) <= 28:
        return ""
    if months == [2]:
        return " in leap years" if days == [29] else ", as far as the year has them"
    if 2 in months or max(numbers) > min(_LENGTHS[month - 1] for month in months):
        return ", where there is one" if len(days) == 1 else ", as far as the month has them"
    return ""


def _month_names(months: list[int]) -> str:
    if len(months) == 12:
        return "each month"
    parts = [_MONTHS[a - 1] if a == b else f"{_MONTHS[a - 1]} to {_MONTHS[b - 1]}" for a, b in _stretches(months)]
    return _and(parts)


def _weekdays(plain: list[int], nth: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    if plain == [1, 2, 3, 4, 5]:
        parts = ["weekdays"]
    elif plain:
        # weeks start on Monday
        order = sorted((day - 1) % 7 for day in plain)
        names = [f"{_DAYS[(day + 1) % 7]}s" for day in range(7)]
        parts = [names[a] if a == b else f"{names[a]} to {names[b]}" for a, b in _stretches(order)]
    return _and([*parts, *(f"the {_which(number)} {_DAYS[day]}" for day, number in nth)])


def _one_of(plain: list[int], nth: list[tuple[int, int]]) -> str:
    if plain == [1, 2, 3, 4, 5]:
        names = ["a weekday"]
    else:
        names = [f"a {_DAYS[day % 7]}" for day in sorted(plain, key=lambda day: (day - 1) % 7)]
    return _and([*names, *(f"the {_which(number)} {_DAYS[day]} of the month" for day, number in nth)], "or")


def _rest_of_weekdays(nth: list[tuple[int, int]], months: list[int]) -> str:
    names = "" if len(months) == 12 else f" in {_month_names(months)}"
    if nth:
        names = f" of {_month_names(months)}"
        if any(number == 5 for _, number in nth):
            names += ", where there is one"
    return names


def _which(number: int) -> str:
    return "last" if number == CronSim.LAST else _ordinal(number)


# -- lists -------------------------------------------------------------------------------------


def _ordinal(number: int) -> str:
    ending = "th" if 10 < number < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _stretches(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of three or more consecutive numbers, as first and last; others alone."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return [
        part for a, b in found for part in ([(a, b)] if b - a > 1 else [(number, number) for number in range(a, b + 1)])
    ]


def _runs(numbers: list[int]) -> str:
    return _and(str(a) if a == b else f"{a} to {b}" for a, b in _stretches(numbers))


def _and(parts: Iterable[str], word: str = "and") -> str:
    *most, last = parts
    return f"{', '.join(most)} {word} {last}" if most else last
