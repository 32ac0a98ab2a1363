"""Prices in tiers: figures worked out by hand."""

from ledger.usage import Usage
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


def test_graduated_tiers_lower_the_dearest_rate_by_what_the_months_sum_makes_of_it() -> None:
    steps = [{"up_to": 1_000_000, "rate": "10"}, {"rate": "6"}]
    agreed = contract(
        terms(price_rules=[{"model": "gpt-4o*", "tiers": {"mode": "graduated", "steps": steps}}])
    )
    records = [entry("a", NOVEMBER, 800_000, "8"), entry("b", NOVEMBER, 700_000, "7", model="gpt-4o-mini")]
    # 1 million at 10, half a million at 6: 13, not 15
    assert amounts(rated(agreed, NOVEMBER, records)) == [
        ("usage", "8.00"),
        ("usage", "7.00"),
        ("tiers", "-2.00"),
    ]


def test_volume_tiers_charge_all_at_the_step_that_is_reached() -> None:
    steps = [{"up_to": 1_000_000, "rate": "10"}, {"rate": "6"}]
    agreed = contract(terms(price_rules=[{"kind": "input", "tiers": {"mode": "volume", "steps": steps}}]))
    records = [entry("a", NOVEMBER, 1_500_000, "15")]
    assert amounts(rated(agreed, NOVEMBER, records)) == [("usage", "15.00"), ("tiers", "-6.00")]
    assert amounts(rated(agreed, NOVEMBER, [entry("a", NOVEMBER, 10**6, "10")])) == [("usage", "10.00")]


def test_tiers_of_a_markup_are_counted_in_money_at_cost() -> None:
    steps = [{"up_to": "100", "markup": "1.5"}, {"markup": "1.2"}]
    rules = [{"kind": "output", "rate": "10"}, {"tiers": {"mode": "graduated", "steps": steps}}]
    agreed = contract(terms(price_rules=rules, price_per_request="1"))
    usage = Usage(input_tokens=5, output_tokens=1_000_000, quantities={"images": 3})
    # 200 at cost: 120 for input and 80 for images come to 300 at the dearest; 10 by rate, 1 for the request
    record = entry("a", NOVEMBER, price="311", of_tokens="190", usage=usage)
    # 100 x 1.5 + 100 x 1.2 = 270
    of = rated(agreed, NOVEMBER, [record])
    assert amounts(of) == [("usage", "310.00"), ("requests", "1.00"), ("tiers", "-30.00")]


def test_tiers_count_over_a_change_of_other_terms_and_by_the_price_lists_name() -> None:
    rule = {
        "model": "gpt-4o",
        "tiers": {"mode": "graduated", "steps": [{"up_to": 1_000_000, "rate": "10"}, {"rate": "6"}]},
    }
    changed = paris(2026, 11, 11)
    agreed = contract(
        {
            "plan_1": [
                (LONG_AGO, terms(price_rules=[rule])),
                (changed, terms(price_rules=[rule], traffic_gb_price="1")),
            ]
        }
    )
    records = [
        entry("a", paris(2026, 11, 2), 800_000, "8"),
        entry("b", changed, 700_000, "7", model="gpt-4o-2024-08-06"),
    ]
    of = rated(agreed, NOVEMBER, records, priced_as={"gpt-4o-2024-08-06": "gpt-4o"})
    assert ("tiers", "-2.00") in amounts(of)
