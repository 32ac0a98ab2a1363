"""Billing periods by the calendar and by anniversaries: what they cost."""

from tests.billing_worker.rating.worked import (
    LONG_AGO,
    amounts,
    contract,
    paris,
    rated,
    subscribed,
    terms,
)

NOVEMBER = paris(2026, 11, 10)


def test_a_month_by_anniversary_costs_a_month() -> None:
    agreed = contract(
        terms(monthly_price="10"), subscribed(start=paris(2027, 1, 31, 15), period_anchor="anniversary")
    )
    for day in (paris(2027, 2, 1), paris(2027, 3, 1), paris(2027, 3, 31)):
        assert amounts(rated(agreed, day)) == [("monthly", "10.00")]


def test_going_over_to_anniversaries_cuts_the_calendar_month_and_its_price() -> None:
    changed = paris(2026, 11, 16, 10)
    agreed = contract(
        terms(monthly_price="30"),
        subscribed("plan_1", LONG_AGO, changed),
        subscribed("plan_1", changed, period_anchor="anniversary"),
    )
    assert amounts(rated(agreed, NOVEMBER)) == [("monthly_part", "15.00")]
    assert amounts(rated(agreed, paris(2026, 11, 20))) == [("monthly", "30.00")]
