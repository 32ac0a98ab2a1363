"""Tokens, pieces, requests, traffic and streams: figures worked out by hand."""

from datetime import UTC, datetime
from decimal import Decimal

from ledger.usage import Usage
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


def test_a_month_costs_its_price_and_each_models_usage_by_project() -> None:
    agreed = contract(terms(monthly_price="3.00"))
    records = [
        entry("a", NOVEMBER, 1_000, "0.0125"),
        entry("b", NOVEMBER, 3_000, "0.0375", project="proj_1"),
        entry("c", NOVEMBER, 1_000, "0.0125"),
        entry("d", NOVEMBER, 500, "1.005", model="o3"),
    ]
    of = rated(agreed, NOVEMBER, records)
    # 0.0125 + 0.0125 = 0.025, half up; 0.0375; 1.005, half up
    assert amounts(of) == [("monthly", "3.00"), ("usage", "0.03"), ("usage", "1.01"), ("usage", "0.04")]
    assert of.net == Decimal("4.08")


def test_what_came_before_or_after_the_month_there_is_not_in_it() -> None:
    agreed = contract(terms())
    first = paris(2026, 10, 1)
    # October begins at 22:00 UTC and, after clocks went back, ends at 23:00.
    last, after = datetime(2026, 10, 31, 22, 59, 59, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC)
    records = [entry("a", first, 1, "1"), entry("b", last, 1, "2"), entry("c", after, 1, "4")]
    assert amounts(rated(agreed, first, records)) == [("usage", "3.00")]


def test_pieces_and_requests_are_charged_within_the_quota_as_well() -> None:
    agreed = contract(terms(**QUOTA, price_per_request="0.01"))
    # 0.50 for tokens, 0.40 for images, 0.01 for the request
    record = entry("a", NOVEMBER, 100, "0.91", of_tokens="0.50", quantities={"images": 2})
    assert amounts(rated(agreed, NOVEMBER, [record])) == [("usage", "0.40"), ("requests", "0.01")]


def test_requests_have_their_price_per_thousand() -> None:
    agreed = contract(terms(price_per_request="0.000125"))
    records = [entry(f"r{n}", NOVEMBER, 1, "0.000126", of_tokens="0.000001") for n in range(1_000)]
    of = rated(agreed, NOVEMBER, records)
    # 1,000 tokens at a millionth of a euro are 0.001, which is nothing in cents
    assert amounts(of) == [("requests", "0.13")]
    (charge,) = of.charges
    assert (charge.quantity, charge.unit_price, charge.base_quantity) == (
        Decimal(1_000),
        Decimal("0.125"),
        Decimal(1_000),
    )


def test_tokens_at_one_rate_of_the_plans_own_are_counted_by_the_million() -> None:
    agreed = contract(terms(price_rules=[{"model": "gpt-4o", "rate": "2.50"}]))
    record = entry(
        "a", NOVEMBER, usage=Usage(input_tokens=1_234_567, output_tokens=100_000), price="3.3364175"
    )
    (charge,) = rated(agreed, NOVEMBER, [record]).charges
    assert (charge.quantity, charge.unit_price, charge.base_quantity) == (
        Decimal(1_334_567),
        Decimal("2.50"),
        Decimal(1_000_000),
    )
    assert charge.net == Decimal("3.34")


def test_traffic_and_streams_are_priced_by_their_sums() -> None:
    agreed = contract(terms(traffic_gb_price="0.08", stream_minute_price="0.06"))
    records = [
        entry("a", NOVEMBER, request_bytes=10**9, response_bytes=11 * 10**9, stream_ms=90_500),
        entry("b", NOVEMBER, response_bytes=5 * 10**8),
    ]
    # 12.5 GB; 90.5 s
    of = rated(agreed, NOVEMBER, records)
    assert sorted(amounts(of)) == [("streams", "0.09"), ("traffic", "1.00")]


def test_a_plan_in_dollars_is_billed_in_dollars_and_nothing_of_it_in_euros() -> None:
    changed = paris(2026, 11, 16)
    agreed = contract(
        {
            "us": terms(name="US", currency="USD", monthly_price="20"),
            "eu": terms(name="EU", monthly_price="10"),
        },
        subscribed("us", LONG_AGO, changed),
        subscribed("eu", changed),
    )
    records = [
        entry("a", NOVEMBER, 1, "1", currency="USD"),
        entry("b", changed, 1, "2"),
        # Was under way when the plan changed.
        entry("c", changed, 1, "4", currency="USD"),
    ]
    assert amounts(rated(agreed, NOVEMBER, records, currency="USD")) == [
        ("monthly_part", "10.00"),
        ("usage", "1.00"),
        ("usage", "4.00"),
    ]
    assert amounts(rated(agreed, NOVEMBER, records)) == [("monthly_part", "5.00"), ("usage", "2.00")]


def test_usage_without_any_plan_is_not_lost() -> None:
    agreed = contract(terms(monthly_price="30"), subscribed(end=paris(2026, 11, 6)))
    records = [entry("a", NOVEMBER, 1, "2")]
    assert amounts(rated(agreed, NOVEMBER, records)) == [("monthly_part", "5.00"), ("usage", "2.00")]
