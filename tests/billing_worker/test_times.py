from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_worker.times import Cron, Every

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
TIMES = st.sampled_from(
    [Cron("0 6 * * *"), Cron("*/7 * 1 * *"), Every(timedelta(hours=1)), Every(timedelta(seconds=0.3))]
)


@given(TIMES, MOMENTS)
def test_the_latest_and_the_next_time_have_no_time_between_them(times: Cron | Every, now: datetime) -> None:
    latest, following = times.latest(now), times.next(now)
    assert latest <= now < following
    assert times.next(latest) == following
    assert times.latest(latest) == latest
    assert times.latest(following) == following


def test_a_cron_line_is_in_utc_whatever_the_zone_of_the_clock() -> None:
    paris = timezone(timedelta(hours=2))
    now = datetime(2026, 7, 1, 7, 59, 59, tzinfo=paris)
    assert Cron("0 6 * * *").latest(now) == datetime(2026, 6, 30, 6, tzinfo=UTC)
    assert Cron("0 6 * * *").next(now) == datetime(2026, 7, 1, 6, tzinfo=UTC)


def test_a_time_itself_counts_as_come() -> None:
    now = datetime(2026, 7, 1, 6, tzinfo=UTC)
    assert Cron("0 6 * * *").latest(now) == now
    assert Cron("0 6 * * *").latest(now - timedelta(microseconds=1)) == now - timedelta(days=1)


@pytest.mark.parametrize("line", ["", "0 6 * *", "61 * * * *", "0 6 * * * *", "@daily", "soon"])
def test_what_is_no_line_of_five_fields_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="cron"):
        Cron(line)


def test_an_interval_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="longer"):
        Every(timedelta())
