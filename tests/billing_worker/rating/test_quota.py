"""What a plan includes: figures worked out by hand."""

from decimal import Decimal

from tests.billing_worker.rating.worked import (
    LONG_AGO,
    amounts,
    contract,
    entry,
    paris,
    rated,
    subscribed,
    terms,
)

NOVEMBER = paris(2026, 11, 10)
QUOTA = {"monthly_quota": 1_000, "overage": "bill"}


def test_tokens_up_to_the_quota_are_included_in_the_order_of_time() -> None:
    agreed = contract(terms(**QUOTA))
    records = [
        entry("late", paris(2026, 11, 20), 300, "0.60"),
        entry("first", paris(2026, 11, 2), 600, "9.00", model="o3"),
        entry("second", paris(2026, 11, 3), 500, "1.00"),
    ]
    # 600 included; of 500 the last 100 are beyond: a fifth of 1.00; 300 beyond
    of = rated(agreed, NOVEMBER, records)
    assert amounts(of) == [("overage", "0.80")]
    assert of.charges[0].model == "gpt-4o"


def test_at_one_instant_the_request_id_decides() -> None:
    agreed = contract(terms(**QUOTA))
    records = [entry("b", NOVEMBER, 1_000, "2", model="o3"), entry("a", NOVEMBER, 1_000, "1")]
    (charge,) = rated(agreed, NOVEMBER, records).charges
    assert (charge.model, charge.net) == ("o3", Decimal(2))


def test_what_a_limit_let_through_is_plain_usage() -> None:
    agreed = contract(terms(monthly_quota=1_000))
    assert amounts(rated(agreed, NOVEMBER, [entry("a", NOVEMBER, 1_500, "3")])) == [("usage", "1.00")]


def test_a_quota_of_nothing_includes_nothing_and_minus_one_knows_none() -> None:
    records = [entry("a", NOVEMBER, 1_500, "3")]
    assert amounts(rated(contract(terms(monthly_quota=0, overage="bill")), NOVEMBER, records)) == [
        ("overage", "3.00")
    ]
    assert amounts(rated(contract(terms(overage="bill")), NOVEMBER, records)) == [("usage", "3.00")]


def test_a_quota_that_is_billed_beyond_has_its_share_of_a_month_rounded_up() -> None:
    # 15.5 of 30 days: 516.67 tokens
    agreed = contract(terms(**QUOTA), subscribed(start=paris(2026, 11, 15, 12)))
    records = [entry("a", paris(2026, 11, 20), 517, "5.17"), entry("b", paris(2026, 11, 21), 1, "0.01")]
    assert amounts(rated(agreed, NOVEMBER, records)) == [("overage", "0.01")]


def test_a_quota_that_is_a_limit_is_included_in_full_however_late_the_plan_began() -> None:
    agreed = contract(terms(monthly_quota=1_000), subscribed(start=paris(2026, 11, 30)))
    assert amounts(rated(agreed, paris(2026, 11, 30), [entry("a", paris(2026, 11, 30, 5), 1_000, "1")])) == []


def test_a_change_of_plan_takes_along_what_is_left_of_the_quota() -> None:
    changed = paris(2026, 11, 16)
    agreed = contract(
        {"a": terms(**QUOTA), "b": terms(name="B", monthly_quota=3_000, overage="bill")},
        subscribed("a", LONG_AGO, changed),
        subscribed("b", changed),
    )
    # 500 + 1,500 in all
    records = [
        entry("a", NOVEMBER, 100, "1"),
        entry("b", changed, 1_900, "1.90"),
        entry("c", changed, 10, "5"),
    ]
    assert amounts(rated(agreed, NOVEMBER, records)) == [("overage", "5.00")]
