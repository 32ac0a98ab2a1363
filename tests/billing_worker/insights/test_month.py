from datetime import date
from decimal import Decimal

import pytest

from billing_worker.insights.forecast import Forecast
from billing_worker.insights.history import History
from billing_worker.insights.month import together

TODAY = date(2026, 11, 28)


def history(today: str, before: str) -> History:
    return History((1.0,), Decimal(today), Decimal(today) + Decimal(before))


@pytest.mark.parametrize(
    ("today", "rest_of_today", "total", "low", "high"),
    [("0", "10", "130", "125", "135"), ("4", "6", "130", "125", "135"), ("17", "0", "137", "125", "137")],
)
def test_today_counts_once_for_what_it_came_to_or_for_what_is_foreseen_where_that_is_more(
    today: str, rest_of_today: str, total: str, low: str, high: str
) -> None:
    month = together(history(today, "100"), Forecast((10.0, 10.0, 10.0), "median", 25.0, 35.0), TODAY)
    assert month.days[0] == (TODAY, Decimal(rest_of_today))
    assert month.days[-1] == (date(2026, 11, 30), Decimal(10))
    assert (month.total, month.low, month.high) == (Decimal(total), Decimal(low), Decimal(high))


def test_a_month_never_comes_to_less_than_it_has() -> None:
    month = together(history("50", "100"), Forecast((1.0,), "median", 0.0, 2.0), TODAY)
    assert (month.low, month.total, month.high) == (Decimal(150), Decimal(150), Decimal(150))


def test_without_bounds_of_the_forecast_it_has_none() -> None:
    month = together(history("0", "1"), Forecast((1.0,), "median", None, None), TODAY)
    assert (month.low, month.high) == (None, None)
