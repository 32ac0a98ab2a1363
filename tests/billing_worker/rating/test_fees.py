"""Prices per month and year, setup, trials and packs: figures worked out by hand."""

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
QUOTA = {"monthly_quota": 1_000, "overage": "bill"}


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


def test_tokens_bought_are_included_and_paid_for_in_the_month_of_their_purchase() -> None:
    agreed = contract(terms(**QUOTA))
    packs = [pack(500, paris(2026, 11, 5), "4.00")]
    records = [entry("a", NOVEMBER, 1_500, "9"), entry("b", paris(2026, 11, 11), 1, "0.05")]
    assert amounts(rated(agreed, NOVEMBER, records, packs=packs)) == [("overage", "0.05"), ("pack", "4.00")]
    december = [entry("a", paris(2026, 12, 2), 1_500, "9")]
    assert amounts(rated(agreed, paris(2026, 12, 2), december, packs=packs)) == [("overage", "3.00")]


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
