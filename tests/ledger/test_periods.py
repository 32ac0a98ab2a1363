"""Periods on calendars: months, anniversaries and years, whatever clocks do."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.periods import (
    Period,
    anniversary_of,
    day_of,
    days_in,
    month_after,
    month_of,
    start_of,
    whole_days_after,
)

ZONES = [
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "Asia/Kolkata",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Asia/Beirut",
]
zones = st.sampled_from(ZONES)
instants = st.integers(0, 40 * 365 * 86_400).map(
    lambda s: datetime(2005, 1, 1, tzinfo=UTC) + timedelta(seconds=s)
)
anchors = st.dates(date(2000, 1, 1), date(2030, 12, 31))


def hours(period: Period) -> float:
    return (period.end - period.start) / timedelta(hours=1)


@pytest.mark.parametrize(
    ("year", "month", "zone", "expected"),
    [
        (2026, 3, "Europe/Paris", 743),
        (2026, 10, "Europe/Paris", 745),
        (2026, 3, "UTC", 744),
        (2028, 2, "Europe/Paris", 696),
        (2026, 2, "Asia/Kolkata", 672),
        (2026, 11, "America/New_York", 721),
    ],
)
def test_a_month_has_the_hours_that_it_has_there(year: int, month: int, zone: str, expected: int) -> None:
    assert hours(month_of(datetime(year, month, 15, tzinfo=UTC), zone)) == expected


def test_an_anniversary_that_a_month_lacks_is_on_its_last_day_and_does_not_drift() -> None:
    anchor = date(2027, 1, 31)
    at = datetime(2027, 2, 1, tzinfo=UTC)
    turns = []
    for _ in range(14):
        period = anniversary_of(at, anchor, "Europe/Paris")
        turns.append(day_of(period.start, "Europe/Paris").isoformat())
        at = period.end
    assert turns[:5] == ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"]
    assert turns[12:] == ["2028-01-31", "2028-02-29"]


def test_a_year_from_a_leap_day_turns_on_the_28th_until_the_next_one() -> None:
    def year(day: str) -> tuple[date, date]:
        at = datetime.fromisoformat(day).replace(tzinfo=UTC)
        period = anniversary_of(at, date(2028, 2, 29), "UTC", months=12)
        return day_of(period.start, "UTC"), day_of(period.end, "UTC")

    assert year("2028-02-29") == (date(2028, 2, 29), date(2029, 2, 28))
    assert year("2029-02-27") == (date(2028, 2, 29), date(2029, 2, 28))
    assert year("2029-02-28") == (date(2029, 2, 28), date(2030, 2, 28))
    assert year("2032-02-28") == (date(2031, 2, 28), date(2032, 2, 29))


def test_a_day_without_a_midnight_begins_right_after() -> None:
    # In Beirut clocks go from 23:59 to 01:00 on 29 March 2026.
    assert start_of(date(2026, 3, 29), "Asia/Beirut").astimezone(ZoneInfo("Asia/Beirut")).hour == 1


@given(instants, anchors, zones, st.sampled_from([1, 12]))
def test_an_instant_is_in_its_period_and_the_next_one_begins_where_it_ends(
    at: datetime, anchor: date, zone: str, months: int
) -> None:
    period = anniversary_of(at, anchor, zone, months=months)
    assert at in period
    following = anniversary_of(period.end, anchor, zone, months=months)
    assert following.start == period.end
    assert anniversary_of(following.start - timedelta(microseconds=1), anchor, zone, months=months) == period


@given(instants, zones)
def test_a_calendar_month_is_the_anniversary_of_a_first(at: datetime, zone: str) -> None:
    assert month_of(at, zone) == anniversary_of(at, date(2000, 1, 1), zone)
    assert month_after(month_of(at, zone), zone).start == month_of(at, zone).end


@given(instants, zones)
def test_days_cover_a_month_without_gap_or_overlap(at: datetime, zone: str) -> None:
    month = month_of(at, zone)
    days = [period for _, period in days_in(month, zone)]
    assert (days[0].start, days[-1].end) == (month.start, month.end)
    assert all(earlier.end == later.start for earlier, later in pairwise(days))


def test_whole_days_end_at_a_midnight_after_all_of_them() -> None:
    paris = ZoneInfo("Europe/Paris")
    afternoon = datetime(2026, 3, 20, 14, 37, tzinfo=paris)
    assert whole_days_after(afternoon, 14, "Europe/Paris") == datetime(2026, 4, 4, tzinfo=paris)
    midnight = datetime(2026, 3, 20, tzinfo=paris)
    assert whole_days_after(midnight, 14, "Europe/Paris") == datetime(2026, 4, 3, tzinfo=paris)


def test_an_instant_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        month_of(datetime(2026, 1, 1), "UTC")  # noqa: DTZ001 - what is refused
