"""Cron lines: which are refused, what they mean in words, and when they fire on days on which clocks are changed."""

from __future__ import annotations

import bisect
import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cron_reference import expected, is_day, numbers_of

from jupyter_mlops.core.cron import CronError, check, in_words, iso, next_time, next_times, times_between
from jupyter_mlops.core.pipelines.definition import PipelineDefinition
from jupyter_mlops.core.pipelines.records import Trigger
from jupyter_mlops.core.record import now
from jupyter_mlops.services.pipelines.airflow.remarks import remarks_of

START = datetime(2026, 1, 1, tzinfo=UTC)


def times(cron: str, zone: str, start: str, end: str) -> list[str]:
    """Between two moments in UTC, with the zone's offset."""
    moments = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end))
    return [moment.strftime("%d %H:%M%z") for moment in times_between(cron, zone, *moments)]


# -- lines and zones that are refused ----------------------------------------------------------


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("", "Write a cron line"),
        (" \t\n", "Write a cron line"),
        ("*", "this one has one field"),
        ("0 6 * *", "this one has 4 fields"),
        ("0 0 6 * * *", "this one has six"),
        ("0 0 6 * * ? 2026", "this one has 7 fields"),
        ("CRON_TZ=UTC 0 6 * * *", "this one has six"),
        ("60 * * * *", "The minute 60 is not possible. It may be 0 to 59"),
        ("-1 * * * *", "The minute -1 is not possible"),
        ("*/0 * * * *", "The minute */0 is not possible"),
        ("1,,2 * * * *", "The minute 1,,2 is not possible"),
        ("1.5 * * * *", "The minute 1.5 is not possible"),
        ("²  * * * *", "The minute ² is not possible"),
        ("*/5/2 * * * *", "The minute */5/2 is not possible"),
        ("0 24 * * *", "The hour 24 is not possible. It may be 0 to 23"),
        ("0 6h * * *", "The hour 6h is not possible"),
        ("0 22-2 * * *", "The hour 22-2 goes backwards from 22 to 2"),
        ("0 1,9-8 * * *", "The hour 1,9-8 goes backwards from 9 to 8"),
        ("0 0 0 * *", "The day of the month 0 is not possible"),
        ("0 0 32 * *", "The day of the month 32 is not possible. It may be 1 to 31, L"),
        ("0 0 15W * *", "The day of the month 15W is not possible"),
        ("0 0 ? * MON", "The day of the month ? is not possible."),
        ("0 0 1 13 *", "The month 13 is not possible. It may be 1 to 12, JAN to DEC"),
        ("0 0 1 Januar *", "The month Januar is not possible"),
        ("0 0 * * 8", "The day of the week 8 is not possible. It may be 0 to 7"),
        ("0 0 * * MON#6", "The day of the week MON#6 is not possible"),
        ("0 0 * * FRI-SUN", "The day of the week FRI-SUN goes backwards from FRI to SUN"),
        ("a b c d e", "The minute a is not possible"),
        ("9" * 400 + " * * * *", "is not possible"),
        ("*," * 300 + "* * * * *", "is too long"),
        ("@reboot", "@reboot names no time"),
        ("@often", "There is no @often: write one of @hourly"),
        ("@daily 6", "There is no @daily 6"),
        ("0 0 31 2 *", "never fires"),
        ("0 0 30,31 FEB *", "never fires"),
        ("0 0 31 4,6,9,11 *", "never fires"),
        ("*/5 * 31 2 *", "never fires"),
        ("0 0 LW * */6", "never fires"),  # the last working day, if it is a Saturday or Sunday
        ("0 0 30 2 */2", "never fires"),
    ],
)
def test_a_line_that_cannot_be_used_is_refused_with_a_sentence(cron: str, message: str) -> None:
    for refused in (
        lambda: in_words(cron),
        lambda: next_time(cron, "UTC", START),
        lambda: next_times(cron, "UTC", START, 1),
        lambda: times_between(cron, "UTC", START, START),
    ):
        with pytest.raises(CronError) as error:
            refused()
        assert message in str(error.value)
        assert error.value.fields == {"cron": error.value.message}
        assert error.value.status == 400
        assert len(str(error.value)) < 250
    assert check(cron, "UTC", START).field == "cron"


@pytest.mark.parametrize(
    ("zone", "close"),
    [
        ("", ""),
        ("Nowhere", ""),
        ("PST", ""),
        ("GMT+2", ""),  # Etc/GMT+2 is the other side of Greenwich
        ("UTC+02:00", ""),
        ("Europe", ""),
        ("../Europe/Berlin", "Europe/Berlin"),
        ("/etc/localtime", ""),
        ("a\0b", ""),
        ("ü" * 500, ""),
        ("tzdata.zi", ""),
        ("utc", "UTC"),
        ("Europe/Berln", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("Australia/Lord Howe", "Australia/Lord_Howe"),
    ],
)
def test_a_zone_that_does_not_exist_is_refused_and_a_close_one_named(zone: str, close: str) -> None:
    with pytest.raises(CronError) as error:
        next_time("0 6 * * *", zone, START)
    assert error.value.fields == {"zone": error.value.message}
    assert ("Did you mean" in str(error.value)) == bool(close)
    assert close in str(error.value)
    checked = check("0 6 * * *", zone, START)
    assert (checked.field, checked.error, checked.next) == ("zone", str(error.value), [])
    assert checked.words == "At 06:00 every day"


def test_a_moment_without_a_zone_is_not_taken_for_local_time() -> None:
    with pytest.raises(ValueError, match="zone"):
        next_time("0 6 * * *", "UTC", datetime(2026, 1, 1))


# -- words -------------------------------------------------------------------------------------

# cronsim's words; ordinals such as 31st are ours
WORDS = {
    "* * * * *": "Every minute",
    "*/7 * * * *": "Every seventh minute of every hour",
    "*/15 9-17 * * MON-FRI": "Every 15th minute from 09:00 through 17:59 on Monday through Friday",
    "*/21 3 * * *": "Every 21st minute from 03:00 through 03:59",
    "5 * * * *": "At minute 5 of every hour",
    "0 6,18 * * *": "At 06:00 and 18:00 every day",
    "0 6-6/2 * * *": "At 06:00 every day",
    "0 9 * * 1-5": "At 09:00 on Monday through Friday",
    "0 6 11,13 * *": "At 06:00 on the 11th and the 13th day of month",
    "0 6 22,23 * *": "At 06:00 on the 22nd and the 23rd day of month",
    "0 0 31 * *": "At 00:00 on the 31st day of every month",
    "0 0 LW * *": "At 00:00 on the last weekday of every month",
    "0 9 * * 1#2": "At 09:00 on the second Monday of the month",
    # both days are named: either will do
    "0 9 13 * 5": "At 09:00 on the 13th day of month and on Friday",
    # one begins with a star: both must fit
    "0 9 */2 * 1": "At 09:00 on every second day of month if it's on Monday",
    "@hourly": "At the start of every hour",
    "@MIDNIGHT": "At 00:00 every day",
    " @annually ": "At 00:00 on January 1",
}


@pytest.mark.parametrize("cron", WORDS)
def test_words(cron: str) -> None:
    assert in_words(cron) == WORDS[cron]


def a_field(chance: random.Random, low: int, high: int, odd: tuple[str, ...] = ()) -> str:
    """A random field of a cron line."""

    def term() -> str:
        a, b = sorted(chance.randint(low, high) for _ in "ab")
        step = chance.choice((2, 3, 5, 7, 15))
        return chance.choice((f"{a}", f"{a}", f"{a}-{b}", f"*/{step}", f"{a}/{step}", f"{a}-{b}/{step}", *odd))

    if chance.random() < 0.3:
        return "*"
    return ",".join(term() for _ in range(chance.choice((1, 1, 1, 2, 3))))


def a_line(chance: random.Random) -> str:
    """A random cron line, which may never fire."""
    weekday = a_field(chance, 0, 7, (f"{chance.randint(0, 7)}#{chance.randint(1, 5)}", f"{chance.randint(0, 7)}L"))
    day = a_field(chance, 1, 31, ("L", "LW"))
    return " ".join((a_field(chance, 0, 59), a_field(chance, 0, 23), day, a_field(chance, 1, 12), weekday))


def fires(cron: str) -> bool:
    """Whether a line, which is right but may never fire, does."""
    error = check(cron, "UTC", START).error
    assert not error or "never fires" in error, cron
    return not error


def meaning(cron: str) -> tuple[object, ...]:
    """All minutes of the day and all days of leap and other years that a line names."""
    minutes, hours, months = numbers_of(cron)
    days = (date(2024, 1, 1) + timedelta(days=number) for number in range(366 + 3 * 365))
    return minutes, hours, [day for day in days if day.month in months and is_day(cron, day)]


def test_lines_with_the_same_words_fire_at_the_same_times() -> None:
    chance = random.Random(20261129)
    said: dict[str, str] = {}
    alike = 0
    for _ in range(3000):
        # few fields of each are odd, so that many lines are said alike
        odd = chance.sample(range(5), chance.choice((1, 1, 1, 2, 2, 5)))
        fields = [a_line(chance).split(), ["0", "6", "*", "*", "*"]]
        cron = " ".join(fields[place not in odd][place] for place in range(5))
        if not fires(cron):
            continue
        words = in_words(cron)
        other = said.setdefault(words, cron)
        if other != cron:
            alike += 1
            assert meaning(cron) == meaning(other), f"{other!r} and {cron!r} are both called {words!r}"
    assert alike > 20


# -- times -------------------------------------------------------------------------------------


def test_next_times_are_later_than_the_moment_and_in_the_zone() -> None:
    after = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)
    found = next_times("0 6 * * *", "Europe/Berlin", after, 3)
    assert [moment.isoformat() for moment in found] == [f"2026-06-0{day}T06:00:00+02:00" for day in (2, 3, 4)]
    assert next_time("0 6 * * *", "Europe/Berlin", after) == found[0]
    assert next_time("0 6 * * *", "Europe/Berlin", after - timedelta.resolution) == after
    assert next_time("0 6 * * *", "Europe/Berlin", found[0]) == found[1]
    assert iso(found[0]) == "2026-06-02T04:00:00.000000+00:00"
    assert len(iso(found[0])) == len(now())


def test_between_includes_both_ends_and_stops_at_the_limit() -> None:
    start, end = datetime(2026, 6, 1, 6, tzinfo=UTC), datetime(2026, 6, 3, 6, tzinfo=UTC)
    assert [moment.day for moment in times_between("0 6 * * *", "UTC", start, end)] == [1, 2, 3]
    assert [moment.day for moment in times_between("0 6 * * *", "UTC", start, end, 2)] == [1, 2]
    tick = timedelta.resolution
    assert [moment.day for moment in times_between("0 6 * * *", "UTC", start + tick, end - tick)] == [2]
    assert list(times_between("0 6 * * *", "UTC", end, start)) == []
    assert list(times_between("0 6 * * *", "UTC", start, end, 0)) == []


def test_between_moments_of_the_zone_itself() -> None:
    """Python compares and adds times of one zone by what the clock shows."""
    zone = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=zone)
    again = first.replace(fold=1)
    assert [moment.strftime("%H:%M%z") for moment in times_between("*/30 * * * *", zone.key, first, again)] == [
        *("02:30+0200", "02:00+0100", "02:30+0100"),
    ]
    assert len(list(times_between("*/30 * * * *", zone.key, first, first))) == 1
    assert next_time("*/30 * * * *", zone.key, again).strftime("%H:%M%z") == "03:00+0100"


def test_the_calendar_begins_and_ends() -> None:
    for zone in ("UTC", "Europe/Berlin", "America/New_York"):
        begin, end = (moment.replace(tzinfo=ZoneInfo(zone)) for moment in (datetime.min, datetime.max))
        assert next(times_between("* * * * *", zone, begin, end)).year == 1
        assert list(times_between("* * * * *", zone, end, end)) == []
        assert next_time("* * * * *", zone, end) is None
    last = datetime(9999, 12, 30, 12, tzinfo=UTC)
    for zone in ("UTC", "Europe/Berlin", "America/New_York"):
        assert [moment.day for moment in next_times("0 6 * * *", zone, last, 5)] == [31]
        assert next_time("0 0 1 1 *", zone, last) is None
        assert len(next_times("0 * * * *", zone, last, 100)) < 40


def test_rare_days_are_found() -> None:
    assert next_time("0 0 29 2 *", "UTC", datetime(2096, 3, 1, tzinfo=UTC)) == datetime(2104, 2, 29, tzinfo=UTC)
    sundays = next_times("* 12 29 2 */7", "Europe/Berlin", START, 61)
    assert {moment.date() for moment in sundays} == {date(2032, 2, 29), date(2060, 2, 29)}


@pytest.mark.parametrize(
    ("zone", "start", "forward", "back"),
    [
        ("Europe/Berlin", "02:30", "29 03:00+0200", "25 02:30+0200"),
        ("America/New_York", "02:30", "08 03:00-0400", "01 02:30-0500"),
        ("America/New_York", "01:30", "08 01:30-0500", "01 01:30-0400"),
        ("America/Havana", "00:30", "08 01:00-0400", "01 00:30-0400"),
        ("Antarctica/Troll", "01:30", "29 03:00+0200", "25 01:30+0200"),
        ("Australia/Lord_Howe", "02:15", "04 02:30+1100", "05 02:15+1030"),
        ("Australia/Lord_Howe", "01:45", "04 01:45+1030", "05 01:45+1100"),
        ("Pacific/Chatham", "03:00", "27 03:45+1345", "05 03:00+1345"),
    ],
)
def test_a_daily_time_fires_once_on_both_days_of_change(zone: str, start: str, forward: str, back: str) -> None:
    hour, minute = start.split(":")
    year = times(f"{int(minute)} {int(hour)} * * *", zone, "2026-01-01", "2026-12-31T23:59")
    assert len(year) == 365
    assert year.count(forward) >= 1
    assert year.count(back) >= 1


def test_the_clock_goes_forward() -> None:
    day = ("Europe/Berlin", "2026-03-29T00:00", "2026-03-29T02:00")
    assert times("*/30 * * * *", *day) == [
        *("29 01:00+0100", "29 01:30+0100", "29 03:00+0200", "29 03:30+0200", "29 04:00+0200"),
    ]
    assert times("0 2 * * *", *day) == ["29 03:00+0200"]
    # several that are skipped, and one that is due then anyway, are one
    assert times("0,20,40 2,3 * * *", *day) == ["29 03:00+0200", "29 03:20+0200", "29 03:40+0200"]
    assert times("*/30 2 * * *", *day) == []
    assert times("0 0-23 * * *", *day) == ["29 01:00+0100", "29 03:00+0200", "29 04:00+0200"]


def test_the_clock_goes_back() -> None:
    day = ("Europe/Berlin", "2026-10-25T00:00", "2026-10-25T02:00")
    assert times("*/30 * * * *", *day) == [
        *("25 02:00+0200", "25 02:30+0200", "25 02:00+0100", "25 02:30+0100", "25 03:00+0100"),
    ]
    assert times("0,30 2 * * *", *day) == ["25 02:00+0200", "25 02:30+0200"]
    assert times("0 0-23 * * *", *day) == ["25 02:00+0200", "25 03:00+0100"]
    # asked for while the clock shows the hour again
    assert times("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", "2026-10-25T03:00") == []
    assert times("30 2 * * *", "Europe/Berlin", "2026-10-25T00:31", "2026-10-25T03:00") == []


def test_half_an_hour_on_lord_howe() -> None:
    back = ("Australia/Lord_Howe", "2026-04-04T14:45", "2026-04-04T16:00")
    assert times("*/15 * * * *", *back) == [
        *("05 01:45+1100", "05 01:30+1030", "05 01:45+1030", "05 02:00+1030", "05 02:15+1030", "05 02:30+1030"),
    ]
    assert times("*/15 2 * * *", *back) == ["05 02:00+1030", "05 02:15+1030", "05 02:30+1030"]
    assert times("0 * * * *", *back) == ["05 02:00+1030"]
    forward = ("Australia/Lord_Howe", "2026-10-03T14:45", "2026-10-03T16:30")
    assert times("*/15 3 * * *", *forward) == ["04 03:00+1100", "04 03:15+1100", "04 03:30+1100"]
    assert times("15 * * * *", *forward) == ["04 01:15+1030", "04 03:15+1100"]
    assert times("0,29 2 * * *", *forward) == ["04 02:30+1100"]


def test_a_day_that_a_zone_left_out() -> None:
    """Samoa had no 30 December 2011."""
    assert times("0 6 * * *", "Pacific/Apia", "2011-12-29T12:00", "2012-01-01T00:00") == [
        *("29 06:00-1000", "31 00:00+1400", "31 06:00+1400", "01 06:00+1400"),
    ]
    assert times("*/30 6 * * *", "Pacific/Apia", "2011-12-29T12:00", "2011-12-31T00:00") == [
        *("29 06:00-1000", "29 06:30-1000", "31 06:00+1400", "31 06:30+1400"),
    ]


# each with what is odd about it
ZONES = {
    "Europe/Berlin": "2026-03-29 2026-10-25",
    "America/Havana": "2026-03-08 2026-11-01",  # at midnight
    "America/Nuuk": "2026-03-29 2026-10-25",  # into the day before
    "Africa/Casablanca": "2026-02-15 2026-03-22",  # back in Ramadan
    "Antarctica/Troll": "2026-03-29 2026-10-25",  # two hours
    "Australia/Lord_Howe": "2026-04-05 2026-10-04",  # half an hour
    "Pacific/Chatham": "2026-04-05 2026-09-27",  # at a quarter to
}
LINES = (
    *("30 2 * * *", "0 0 * * *", "30 23 * * *", "15,45 0-3 * * *", "0 0-23 * * *", "0/20 1-4 * * *", "0 1,2,3 * * SUN"),
    *("*/15 * * * *", "7 * * * *", "*/10 2,23 * * *", "*/15 * * * SAT", "*/15 0 * * SUN", "* 1-3 29 * *", "0 * L * *"),
    *("0 9 13 * 5", "30 2 1-7 * */7", "45 1 * * 0L", "0 2 LW * 0#1", "*/20 */2 25-31 3,10 *", "29 */3 4,5 * 7"),
)


@pytest.mark.parametrize("zone", ZONES)
def test_as_the_patient_reference_computes_it(zone: str) -> None:
    chance = random.Random(zone)
    for day in ZONES[zone].split():
        middle = datetime.fromisoformat(day).replace(tzinfo=UTC)
        start, end = middle - timedelta(days=2), middle + timedelta(days=2)
        assert next_time("* * * * *", zone, start).utcoffset() != next_time("* * * * *", zone, end).utcoffset()
        for cron in (*LINES, *(a_line(chance) for _ in range(25))):
            wanted = expected(cron, zone, start, end)
            if not fires(cron):
                assert not wanted, cron
                continue
            # Python holds a time that comes twice equal to none of another zone
            assert [moment.astimezone(UTC) for moment in times_between(cron, zone, start, end)] == wanted, cron
            # whatever the moment from which it is asked for: nothing is remembered, so nothing may depend on that
            for _ in range(30):
                after = start + timedelta(seconds=chance.randrange(4 * 86_400))
                place = bisect.bisect_right(wanted, after)
                following = next_time(cron, zone, after)
                assert following is not None, cron
                following = following.astimezone(UTC)
                assert following == wanted[place] if place < len(wanted) else following > end, (cron, after)


# -- while it is typed -------------------------------------------------------------------------


def test_check_tells_words_and_the_next_five_times() -> None:
    checked = check("0 6 * * MON-FRI", "America/New_York", datetime(2026, 10, 29, 12, tzinfo=UTC))
    assert checked.words == "At 06:00 on Monday through Friday"
    assert checked.next == [
        "2026-10-30T06:00:00-04:00",
        *(f"2026-11-0{day}T06:00:00-05:00" for day in (2, 3, 4, 5)),
    ]
    assert (checked.error, checked.field) == ("", "")


def test_check_blames_the_line_before_the_zone() -> None:
    checked = check("0 6 * *", "Nowhere", START)
    assert checked.field == "cron"
    assert "five fields" in checked.error
    assert (checked.words, checked.next) == ("", [])


@pytest.mark.parametrize(
    ("line", "differs"),
    [
        # the first 40 times from 2026-01-01, of croniter 7.0.0 compared with cronsim 2.8
        *((line, True) for line in ("0 0 */2 * 3", "0 0 1 * */2", "0 0 */2,5 * 3", "0 0 */2 * 1#2")),
        *((line, False) for line in ("0 0 13 * 5", "0 0 * * 3", "0 0 */2 * *", "0 0 1-31/2 * 3", "0 0 * * */1")),
    ],
)
def test_a_line_that_airflow_reads_in_another_way_is_remarked_in_the_export(line: str, differs: bool) -> None:
    trigger = Trigger(id="t", pipeline_id="p", cron=line)
    remarks = remarks_of(PipelineDefinition(name="x", steps={}), [trigger], {})
    assert any("Airflow runs on days that fit either" in remark for remark in remarks) == differs
