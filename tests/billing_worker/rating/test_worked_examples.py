"""Invoices worked out by hand."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from ledger.adjustments import Adjustment
from ledger.service_levels import ServiceLevel
from ledger.usage import Usage
from tests.billing_worker.rating.worked import (
    LONG_AGO,
    amounts,
    contract,
    entry,
    pack,
    paris,
    rated,
    subscribed,
    terms,
)

NOVEMBER = paris(2026, 11, 10)


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


def test_a_change_in_mid_month_costs_each_plan_its_days() -> None:
    changed = paris(2026, 11, 16, 14, 37)
    agreed = contract(
        {"small": terms(name="Small", monthly_price="10"), "large": terms(name="Large", monthly_price="99")},
        subscribed("small", LONG_AGO, changed),
        subscribed("large", changed),
    )
    # The 16th is the later plan's: 15 days of 10 over 30, 15 of 99
    assert amounts(rated(agreed, NOVEMBER)) == [("monthly_part", "5.00"), ("monthly_part", "49.50")]


def test_parts_of_a_month_at_one_price_add_up_to_it() -> None:
    turns = [LONG_AGO, paris(2026, 11, 11), paris(2026, 11, 21), None]
    agreed = contract(
        {name: terms(name=name, monthly_price="10") for name in "abc"},
        *(subscribed(name, turns[n] or LONG_AGO, turns[n + 1]) for n, name in enumerate("abc")),
    )
    # 10 days each: 3.33, 6.67 - 3.33, 10.00 - 6.67
    assert [net for _, net in amounts(rated(agreed, NOVEMBER))] == ["3.33", "3.34", "3.33"]


def test_a_first_month_costs_from_its_first_day_on() -> None:
    agreed = contract(terms(monthly_price="3"), subscribed(start=paris(2026, 11, 20, 9)))
    # 20 to 30 November: 11 days of 30
    assert amounts(rated(agreed, NOVEMBER)) == [("monthly_part", "1.10")]


def test_a_leap_day_is_a_day() -> None:
    agreed = contract(terms(monthly_price="29"), subscribed(start=paris(2028, 2, 29)))
    assert amounts(rated(agreed, paris(2028, 2, 29))) == [("monthly_part", "1.00")]


def test_an_hour_more_or_less_changes_no_price_per_day() -> None:
    # 29 March 2026 has 23 hours, 25 October 25; each is one day of 31.
    for month, day in ((3, 29), (10, 25)):
        changed = paris(2026, month, day)
        agreed = contract(
            {"a": terms(monthly_price="31"), "b": terms(monthly_price="62")},
            subscribed("a", LONG_AGO, changed),
            subscribed("b", changed, paris(2026, month, day + 1)),
        )
        assert [net for _, net in amounts(rated(agreed, changed))] == [f"{day - 1}.00", "2.00"]


def test_a_price_that_changes_in_mid_month_costs_each_its_days_and_usage_as_it_was_priced() -> None:
    changed = paris(2026, 11, 11)
    agreed = contract(
        {"plan_1": [(LONG_AGO, terms(monthly_price="30")), (changed, terms(monthly_price="60"))]}
    )
    records = [entry("a", paris(2026, 11, 10, 23, 59), 1, "1.00"), entry("b", changed, 1, "2.00")]
    of = rated(agreed, NOVEMBER, records)
    assert amounts(of) == [
        ("monthly_part", "10.00"),
        ("monthly_part", "40.00"),
        ("usage", "1.00"),
        ("usage", "2.00"),
    ]


def test_a_change_of_terms_that_costs_nothing_cuts_nothing() -> None:
    changed = paris(2026, 11, 11)
    renamed = terms(name="Pro 2", monthly_price="30", models=["gpt-*"])
    agreed = contract({"plan_1": [(LONG_AGO, terms(monthly_price="30")), (changed, renamed)]})
    records = [entry("a", paris(2026, 11, 2), 1, "0.005"), entry("b", changed, 1, "0.004")]
    assert amounts(rated(agreed, NOVEMBER, records)) == [("monthly", "30.00"), ("usage", "0.01")]


def test_a_trial_costs_nothing_and_what_comes_after_costs_its_days() -> None:
    started = paris(2026, 11, 1)
    agreed = contract(
        terms(monthly_price="30", setup_fee="5", minimum_spend="3", trial_days=14),
        subscribed(start=started, trial_ends_at=paris(2026, 11, 15)),
    )
    records = [entry("a", NOVEMBER, 9, "7"), entry("b", paris(2026, 11, 15), 9, "0.20")]
    # 16 of 30 days; the minimum's 1.60 is reached
    assert amounts(rated(agreed, NOVEMBER, records)) == [
        ("monthly_part", "16.00"),
        ("setup", "5.00"),
        ("usage", "0.20"),
    ]


def test_setup_is_paid_once() -> None:
    agreed = contract(terms(setup_fee="5"), subscribed(start=paris(2026, 10, 15)))
    assert amounts(rated(agreed, paris(2026, 10, 20))) == [("setup", "5.00")]
    assert amounts(rated(agreed, NOVEMBER)) == []


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


def test_pieces_and_requests_are_charged_within_the_quota_as_well() -> None:
    agreed = contract(terms(**QUOTA, price_per_request="0.01"))
    # 0.50 for tokens, 0.40 for images, 0.01 for the request
    record = entry("a", NOVEMBER, 100, "0.91", of_tokens="0.50", quantities={"images": 2})
    assert amounts(rated(agreed, NOVEMBER, [record])) == [("usage", "0.40"), ("requests", "0.01")]


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


def test_tokens_bought_are_included_and_paid_for_in_the_month_of_their_purchase() -> None:
    agreed = contract(terms(**QUOTA))
    packs = [pack(500, paris(2026, 11, 5), "4.00")]
    records = [entry("a", NOVEMBER, 1_500, "9"), entry("b", paris(2026, 11, 11), 1, "0.05")]
    assert amounts(rated(agreed, NOVEMBER, records, packs=packs)) == [("overage", "0.05"), ("pack", "4.00")]
    december = [entry("a", paris(2026, 12, 2), 1_500, "9")]
    assert amounts(rated(agreed, paris(2026, 12, 2), december, packs=packs)) == [("overage", "3.00")]


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


def test_volume_discounts_are_for_the_part_above_each_threshold() -> None:
    discounts = [{"above": "100", "percent": "10"}, {"above": "1000", "percent": "20"}]
    agreed = contract(terms(monthly_price="50", volume_discounts=discounts))
    # 900 x 10 % + 500 x 20 %, of usage alone
    of = rated(agreed, NOVEMBER, [entry("a", NOVEMBER, 1, "1500")])
    assert amounts(of) == [("monthly", "50.00"), ("usage", "1500.00"), ("volume", "-190.00")]
    assert amounts(rated(agreed, NOVEMBER, [entry("a", NOVEMBER, 1, "100")]))[2:] == []


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


def test_a_minimum_charges_what_is_missing_and_of_a_part_of_a_month_its_share() -> None:
    agreed = contract(terms(monthly_price="10", minimum_spend="50"))
    assert amounts(rated(agreed, NOVEMBER, [entry("a", NOVEMBER, 1, "15")]))[-1] == ("minimum", "25.00")
    assert len(amounts(rated(agreed, NOVEMBER, [entry("a", NOVEMBER, 1, "40")]))) == 2
    late = contract(terms(minimum_spend="50"), subscribed(start=paris(2026, 11, 16)))
    assert amounts(rated(late, NOVEMBER)) == [("minimum", "25.00")]


def test_a_year_is_paid_when_it_begins_and_counts_for_the_minimum_with_a_twelfth() -> None:
    agreed = contract(
        terms(monthly_price="3", yearly_price="30", minimum_spend="4"),
        subscribed(start=paris(2026, 11, 10), billing_interval="year"),
    )
    # The minimum of 21 days is 2.80, a twelfth of 30 for 21 days 1.75
    assert amounts(rated(agreed, NOVEMBER)) == [("yearly", "30.00"), ("minimum", "1.05")]
    assert amounts(rated(agreed, paris(2026, 12, 2))) == [("minimum", "1.50")]
    assert ("yearly", "30.00") in amounts(rated(agreed, paris(2027, 11, 2)))


def test_what_is_left_of_a_year_counts_towards_the_year_that_takes_its_place() -> None:
    changed = paris(2027, 2, 18, 15)
    agreed = contract(
        {"a": terms(name="A", yearly_price="365"), "b": terms(name="B", yearly_price="730")},
        subscribed("a", paris(2026, 11, 10), changed, billing_interval="year"),
        subscribed("b", changed, billing_interval="year"),
    )
    # 18 February to 10 November: 265 of 365 days
    assert sorted(amounts(rated(agreed, changed))) == [("yearly", "730.00"), ("yearly_unused", "-265.00")]


def test_a_broken_promise_gives_back_its_percentage_of_fees_and_usage() -> None:
    promise = {
        "uptime_percent": "99.9",
        "latency_ms_p95": 2_000,
        "credits": [
            {"below": "99.9", "percent": "5"},
            {"below": "99", "percent": "10"},
            {"measure": "latency", "above": "2000", "percent": "7"},
        ],
    }
    agreed = contract(terms(monthly_price="100", sla=promise, setup_fee="1000"))
    records = [entry("a", NOVEMBER, 1, "23.45")]
    kept = ServiceLevel(minutes=43_200, minutes_down=43, requests=10, failed=1, latency_ms_p95=2_000)
    assert amounts(rated(agreed, NOVEMBER, records, measured=kept))[2:] == []
    # 44 of 43,200 minutes: 99.898 %, rounded against us; 5 % of 123.45 = 6.1725
    down = replace(kept, minutes_down=44)
    assert amounts(rated(agreed, NOVEMBER, records, measured=down))[2:] == [("sla", "-6.17")]
    slow = replace(down, latency_ms_p95=2_001)
    assert amounts(rated(agreed, NOVEMBER, records, measured=slow))[2:] == [("sla", "-8.64")]
    worst = replace(slow, minutes_down=500)
    assert amounts(rated(agreed, NOVEMBER, records, measured=worst))[2:] == [("sla", "-12.35")]


def test_adjustments_stand_beside_all_that() -> None:
    def adjustment(amount: str, day: int) -> Adjustment:
        at = paris(2026, 11, day)
        return Adjustment(
            id=f"adj_{day}",
            organization_id="org_1",
            at=at,
            amount=Decimal(amount),
            currency="EUR",
            reason="goodwill",
            created_at=at,
        )

    agreed = contract(terms(minimum_spend="50"))
    given = [adjustment("-5.00", 3), adjustment("2.50", 4)]
    assert amounts(rated(agreed, NOVEMBER, adjustments=given)) == [
        ("minimum", "50.00"),
        ("adjustment", "-5.00"),
        ("adjustment", "2.50"),
    ]


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
