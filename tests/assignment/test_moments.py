"""Times with zones: right over both changes of the clocks, and an error where a clock's time says nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.assignment.moments import (
    clock_time,
    days_begun,
    days_later,
    duration,
    instant,
    moment_of,
    received,
    zone_of,
)

NEW_YORK, BERLIN, SEOUL = (zone_of(name) for name in ("America/New_York", "Europe/Berlin", "Asia/Seoul"))
ZONES = st.sampled_from([NEW_YORK, BERLIN, SEOUL, zone_of("Australia/Lord_Howe"), None])
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "zone", "utc"),
    [
        ("2024-03-22 23:59", NEW_YORK, "2024-03-23T03:59:00+00:00"),
        ("2024-02-22 23:59", NEW_YORK, "2024-02-23T04:59:00+00:00"),
        ("2024-06-14T18:00", SEOUL, "2024-06-14T09:00:00+00:00"),
        ("2024-03-22T23:00:00-04:00", BERLIN, "2024-03-23T03:00:00+00:00"),  # an offset counts before the zone
        ("2024-03-22T23:00:00Z", None, "2024-03-22T23:00:00+00:00"),
        (" 2024-11-03 00:59:59 ", NEW_YORK, "2024-11-03T04:59:59+00:00"),
    ],
)
def test_an_instant_is_of_its_offset_or_its_zone(text, zone, utc):
    assert instant(text, zone).isoformat() == utc


@pytest.mark.parametrize(
    ("text", "zone", "words"),
    [
        ("2024-03-10 02:30", NEW_YORK, "left out by the clocks of America/New_York"),
        ("2024-03-31 02:00", BERLIN, "2024-03-31T03:00:00+02:00"),
        ("2024-11-03 01:30", NEW_YORK, "write 2024-11-03T01:30:00-04:00 or 2024-11-03T01:30:00-05:00"),
        ("2024-03-22 23:00", None, "neither an offset nor a zone"),
        ("2024-03-22", NEW_YORK, "no time of day"),
        ("22/03/2024 23:00", NEW_YORK, "is no time, expected one such as"),
        ("", None, "is no time"),
    ],
)
def test_a_time_that_says_nothing_is_told_with_what_to_write(text, zone, words):
    with pytest.raises(ValueError, match=r"expected|clocks") as error:
        instant(text, zone)
    assert words in str(error.value)


def test_an_unknown_zone_has_a_near_name():
    with pytest.raises(ValueError, match="did you mean 'Europe/Berlin'"):
        zone_of("Europe/Berlni")


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2024-03-09 20:00", 23), ("2024-11-02 20:00", 25), ("2024-06-01 20:00", 24)],  # forward, back, neither
)
def test_a_day_ends_when_the_clock_shows_the_same_time(day, hours):
    begin = instant(day, NEW_YORK)
    end = days_later(begin, 1, NEW_YORK)
    assert end - begin == timedelta(hours=hours)
    assert days_begun(begin, end, NEW_YORK) == 1
    assert days_begun(begin, end + timedelta(seconds=1), NEW_YORK) == 2
    assert days_begun(begin, begin, NEW_YORK) == 0


def test_a_day_that_ends_where_the_clocks_are_changed_ends_as_late_as_it_can():
    assert days_later(instant("2024-03-09 02:30", NEW_YORK), 1, NEW_YORK) == instant("2024-03-10 03:30", NEW_YORK)
    assert days_later(instant("2024-11-02 01:30", NEW_YORK), 1, NEW_YORK).isoformat() == "2024-11-03T06:30:00+00:00"


def test_a_platforms_time_without_an_offset_is_the_first_of_two():
    assert received("2024-11-03T01:30:00", NEW_YORK).isoformat() == "2024-11-03T05:30:00+00:00"
    assert received("2024-11-03T01:30:00", None) is None
    assert received("yesterday", NEW_YORK) is received(None, NEW_YORK) is None


@given(MOMENTS, ZONES, st.integers(0, 400))
def test_days_count_what_they_add(moment, zone, days):
    later = days_later(moment, days, zone)
    assert abs(later - moment - timedelta(days=days)) <= timedelta(hours=1)
    assert days_begun(moment, later, zone) == days
    assert days_begun(moment, later + timedelta(hours=3), zone) == days + 1


@given(MOMENTS, ZONES)
def test_what_is_shown_with_its_offset_is_read_back(moment, zone):
    shown = moment.astimezone(zone or UTC).isoformat()
    assert instant(shown, NEW_YORK) == moment == moment_of(shown)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "less than a second"), (40, "40 s"), (4500, "1 h 15 min"), (86400, "1 day"), (2 * 86400 + 3661, "2 days 1 h")],
)
def test_durations_in_words(seconds, words):
    begin = instant("2024-06-01 12:00", NEW_YORK)
    assert duration(begin, begin + timedelta(seconds=seconds), NEW_YORK) == words


def test_the_days_of_a_duration_are_those_of_the_clock():
    due = instant("2024-03-30 23:59", BERLIN)  # the clocks are put forward in the next night
    assert duration(due, instant("2024-04-03 01:30", BERLIN), BERLIN) == "3 days 1 h"
    assert duration(due, instant("2024-04-03 01:30", BERLIN), None) == "3 days 31 min"


def test_times_are_shown_by_the_clock_with_its_name():
    moment = instant("2024-04-01T12:00:00+00:00", None)
    assert clock_time(moment, NEW_YORK) == "2024-04-01 08:00 EDT"
    assert clock_time(moment + timedelta(seconds=5), None) == "2024-04-01 12:00:05 UTC"
