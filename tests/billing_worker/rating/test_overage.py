"""Beyond the quota at a price of its own: figures worked out by hand."""

from decimal import Decimal

from tests.billing_worker.rating.worked import (
    LONG_AGO,
    amounts,
    contract,
    entry,
    paris,
    rated,
    terms,
)

NOVEMBER = paris(2026, 11, 10)
QUOTA = {"monthly_quota": 1_000, "overage": "bill"}


def test_overage_by_blocks_of_tokens_takes_the_place_of_their_own_price() -> None:
    agreed = contract(terms(**QUOTA, overage_price={"per": "tokens", "block": 1_000, "price": "0.30"}))
    records = [entry("a", NOVEMBER, 1_000, "9"), entry("b", NOVEMBER, 2_001, "9")]
    of = rated(agreed, NOVEMBER, records)
    # 2,001 beyond: three blocks are begun
    assert amounts(of) == [("overage_tokens", "0.90")]
    assert (of.charges[0].quantity, of.charges[0].unit_price) == (Decimal(3), Decimal("0.30"))


def test_overage_by_single_tokens_is_exact() -> None:
    agreed = contract(terms(**QUOTA, overage_price={"per": "tokens", "price": "0.0002"}))
    assert amounts(rated(agreed, NOVEMBER, [entry("a", NOVEMBER, 2_001, "9")])) == [
        ("overage_tokens", "0.20")
    ]


def test_overage_by_requests_counts_those_that_began_when_nothing_was_left() -> None:
    agreed = contract(terms(**QUOTA, overage_price={"per": "requests", "block": 2, "price": "0.10"}))
    records = [
        *(entry(f"a{n}", paris(2026, 11, 2, n), 400, "9") for n in range(6)),
        entry("list", paris(2026, 11, 20), model=""),
    ]
    # The third runs over what is left; three after it: two blocks
    assert amounts(rated(agreed, NOVEMBER, records)) == [("overage_requests", "0.20")]


def test_a_block_that_is_begun_before_a_change_of_terms_goes_on_after_it() -> None:
    changed = paris(2026, 11, 11)
    common = {**QUOTA, "monthly_quota": 0, "overage_price": {"per": "tokens", "block": 1_000, "price": "1"}}
    agreed = contract(
        {"plan_1": [(LONG_AGO, terms(**common)), (changed, terms(**common, traffic_gb_price="1"))]}
    )
    records = [entry("a", paris(2026, 11, 2), 400, "9"), entry("b", changed, 600, "9")]
    assert amounts(rated(agreed, NOVEMBER, records)) == [("overage_tokens", "1.00")]
