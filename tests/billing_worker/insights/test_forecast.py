import sys
from statistics import mean

import pytest

from billing_worker.insights.forecast import COVERAGE, forecast
from billing_worker.insights.models import foresee
from tests.billing_worker.insights.weeks import days


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a Python that it has no build for."""
    monkeypatch.setitem(sys.modules, "augurs", None)


def test_a_trend_and_a_week_without_noise_are_carried_on() -> None:
    known = days(80, seed=1, noise=0)
    made = forecast(known[:56], 24)
    assert made is not None
    assert made.method == "mstl"
    assert made.total == pytest.approx(sum(known[56:]), rel=0.06)
    assert made.days[:7] == pytest.approx(known[56:63], rel=0.08)


def test_bounds_hold_as_often_as_they_say() -> None:
    held, off = [], []
    for seed in range(40):
        known = days(91, seed=seed)
        made = forecast(known[:77], 14)
        assert made is not None
        assert made.low is not None
        assert made.high is not None
        truth = sum(known[77:])
        held.append(made.low <= truth <= made.high)
        off.append(abs(made.total / truth - 1))
    assert COVERAGE - 0.15 <= mean(held) <= 1
    assert mean(off) < 0.1


def test_a_short_past_has_no_bounds() -> None:
    for count, method in ((3, "median"), (13, "median"), (14, "weekday_median"), (20, "weekday_median")):
        made = forecast(days(count, seed=1), 5)
        assert made is not None
        assert (made.method, made.low, made.high) == (method, None, None)
    assert forecast([], 5) is None
    assert forecast([1.0], 0) is None


def test_nothing_is_ever_foreseen_below_zero() -> None:
    falling = [max(0.0, 100.0 - 3 * day) for day in range(40)]
    made = forecast(falling, 30)
    assert made is not None
    assert min(made.days) >= 0
    assert made.low is None or made.low >= 0


@pytest.mark.parametrize("known", [[0.0] * 60, [5.0] * 60, [0.0] * 59 + [1e9], [1e12] * 30 + [1e12 + 1] * 30])
def test_strange_pasts_are_survived(known: list[float]) -> None:
    made = forecast(known, 10)
    assert made is not None
    assert all(value == value for value in made.days)


def test_without_the_library_weekdays_are_foreseen_by_weekdays(without_library: None) -> None:
    known = days(56, seed=1, noise=0, trend=0)
    found, method = foresee(known, 14)
    assert method == "weekday_median"
    assert found == pytest.approx(known[:14])
