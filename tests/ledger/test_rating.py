"""Usage to money: figures worked out by hand, and what holds of any usage."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ledger.price_file import load_price_list
from ledger.price_rules import PriceRule, Step, Tiers
from ledger.prices import TOKEN_KINDS, Price
from ledger.rating import Tariff, cost, unpriced, upper_bound
from ledger.usage import Usage

NOW = datetime(2026, 11, 21, tzinfo=UTC)
OPENAI = load_price_list(Path(__file__).parents[2] / "config" / "prices" / "openai.yaml")
PRICES = list(OPENAI)
TIERS = st.sampled_from(["default", "auto", "flex", "priority", "fast", "batch", "scale"])
RATE = Decimal("1.25")
BY_LENGTH = ("default>1000/input", "default>1000/output", "flex/input", "flex>5000/output")
COUNTED = ["seconds", "characters", "images", "web_search_call", "cached_audio_tokens", "cached_image_tokens"]


def openai(model: str, at: datetime = NOW) -> Price:
    price = OPENAI.price_for(model, at)
    assert price is not None
    return price


def priced(**rates: str) -> Price:
    return Price("test", "m", NOW, None, {k: Decimal(v) for k, v in rates.items()}, "test", date(2026, 1, 1))


counts = st.integers(0, 400_000)
usages = st.builds(
    Usage,
    input_tokens=counts,
    cached_input_tokens=counts,
    cache_write_tokens=counts,
    output_tokens=counts,
    reasoning_tokens=counts,
    audio_input_tokens=counts,
    audio_output_tokens=counts,
    image_input_tokens=counts,
    image_output_tokens=counts,
    quantities=st.dictionaries(st.sampled_from(COUNTED), counts),
)
rates = st.decimals(0, 200, places=4).map(lambda rate: f"{rate:f}")
prices = st.one_of(
    st.sampled_from(PRICES),
    st.dictionaries(st.sampled_from(TOKEN_KINDS + BY_LENGTH), rates, min_size=1).map(
        lambda given: priced(**given)
    ),
)
rules = st.lists(
    st.builds(
        lambda model, kind, term: PriceRule(model=model, kind=kind, **term),
        st.sampled_from(["*", "gpt-*", "m"]),
        st.sampled_from(["*", "input", "cached_input", "output", "second", "per_request"]),
        st.builds(lambda name, value: {name: value}, st.sampled_from(["markup", "rate"]), rates),
    ),
    max_size=4,
)
tariffs = st.builds(Tariff, rules.map(tuple), st.decimals(0, 1, places=6), st.sampled_from(["EUR", "USD"]))


@pytest.mark.parametrize(
    ("model", "usage", "tier", "nano_usd"),
    [
        # 800 x 0.15 + 200 x 0.075 + 500 x 0.60 = 435 millionths
        ("gpt-4o-mini", Usage(1000, cached_input_tokens=200, output_tokens=500), "default", 435_000),
        # reasoning is inside output: 100 x 2 + 50 x 8 = 600
        ("o3", Usage(100, output_tokens=50, reasoning_tokens=40), "default", 600_000),
        # more than 272,000 tokens in: 200,000 x 10 + 100,000 x 1 + 1,000 x 45 = 2,145,000
        (
            "gpt-5.5",
            Usage(300_000, cached_input_tokens=100_000, output_tokens=1000),
            "default",
            2_145_000_000,
        ),
        ("gpt-5.5", Usage(272_000), "default", 1_360_000_000),
        ("gpt-5.5", Usage(272_001), "default", 2_720_010_000),
        # 600 x 1.25 + 400 x 0.13 + 100 x 7.5 = 1,552
        ("gpt-5.4", Usage(1000, cached_input_tokens=400, output_tokens=100), "flex", 1_552_000),
        ("gpt-5.4", Usage(1000, cached_input_tokens=400, output_tokens=100), "batch", 1_552_000),
        # priority has one rate for any length: 300,000 x 5
        ("gpt-5.4", Usage(300_000), "priority", 1_500_000_000),
        # batch says nothing of cached input: 800 x 0.075 + 200 x 0.075 + 500 x 0.30 = 225
        ("gpt-4o-mini", Usage(1000, cached_input_tokens=200, output_tokens=500), "batch", 225_000),
        # 500 x 4 + 500 x 0.40 + 1,000 x 5 + 100 x 20 = 9,200
        ("gpt-5.6-sol", Usage(2000, 500, 1000, 100), "default", 9_200_000),
        # 62.5 nano each: half to even, once
        ("gpt-5.1", Usage(1, cached_input_tokens=1), "flex", 62),
        ("gpt-5.1", Usage(3, cached_input_tokens=3), "flex", 188),
        # 300 x 0.60 + 100 x 0.06 + 400 x 10 + 200 x 0.30 + 50 x 2.40 + 150 x 20 = 7,366
        (
            "gpt-realtime-mini",
            Usage(1000, 300, 0, 200, 0, 600, 150, quantities={"cached_audio_tokens": 200}),
            "default",
            7_366_000,
        ),
        # 100 x 5 + 900 x 10 + 1,000 x 40 = 49,500
        ("gpt-image-1", Usage(1000, 0, 0, 1000, 0, 0, 0, 900, 1000), "default", 49_500_000),
        ("text-embedding-3-small", Usage(1), "default", 20),
        ("ft:gpt-4o-mini-2024-07-18:acme::x", Usage(1000, output_tokens=1000), "default", 1_500_000),
        ("whisper-1", Usage(quantities={"seconds": 9}), "default", 900_000),
        ("gpt-live-transcribe", Usage(quantities={"seconds": 1}), "default", 283_333),
        ("gpt-live-transcribe", Usage(quantities={"second": 3}), "default", 850_000),
        ("tts-1", Usage(quantities={"characters": 100}), "default", 1_500_000),
        ("dall-e-3", Usage(quantities={"image_hd_1024x1792": 2}), "default", 240_000_000),
        # 10 x 2.5 + 2 x 10,000
        ("gpt-4o", Usage(10, quantities={"web_search_call": 2}), "default", 20_025_000),
    ],
)
def test_a_model_costs_what_its_price_page_says(model: str, usage: Usage, tier: str, nano_usd: int) -> None:
    assert cost(usage, openai(model), service_tier=tier) == nano_usd
    assert unpriced(usage, openai(model), service_tier=tier) == []


def test_usage_of_an_earlier_day_costs_that_days_price() -> None:
    before = openai("gpt-5.6-sol", datetime(2026, 8, 20, 23, 59, tzinfo=UTC))
    # 500 x 5 + 500 x 0.50 + 1,000 x 6.25 + 100 x 30 = 12,000
    assert cost(Usage(2000, 500, 1000, 100), before) == 12_000_000


def test_cached_tokens_without_a_rate_cost_as_input() -> None:
    price = priced(input="3", output="6")
    assert cost(Usage(100, 60, 20, 10), price) == cost(Usage(100, 0, 0, 10), price) == 360_000


def test_tokens_read_from_the_cache_are_not_written_to_it() -> None:
    # 80 x 0.1 + 20 x 1.25
    assert cost(Usage(100, 80, 50), priced(input="1", cached_input="0.1", cache_write="1.25")) == 33_000


def test_cached_tokens_that_are_also_audio_are_charged_once() -> None:
    price = priced(input="1", cached_input="0.1", audio_input="10", cached_audio_input="2")
    # 100 in, all audio, all cached: 100 x 2
    assert cost(Usage(100, cached_input_tokens=100, audio_input_tokens=100), price) == 200_000
    # 60 audio, 70 cached of unknown kind: text first (40 x 0.1), then audio (30 x 2), 30 audio fresh (x 10)
    assert cost(Usage(100, cached_input_tokens=70, audio_input_tokens=60), price) == 364_000
    # 30 text, 30 audio, 40 image, all cached: 30 x 0.1 + 30 x 2 + 40 x 0.5
    price = priced(**{kind: f"{rate:f}" for kind, rate in price.rates.items()}, cached_image_input="0.5")
    mixed = Usage(100, cached_input_tokens=100, audio_input_tokens=30, image_input_tokens=40)
    assert cost(mixed, price) == 83_000


def test_what_has_no_rate_is_named() -> None:
    usage = Usage(10, output_tokens=5, audio_output_tokens=5, quantities={"images": 1, "containers": 2})
    assert unpriced(usage, openai("gpt-4o-mini")) == ["audio_output", "containers", "image"]
    assert unpriced(Usage(10, output_tokens=1), openai("whisper-1")) == ["input", "output"]
    assert unpriced(Usage(10, output_tokens=1), openai("text-embedding-3-small")) == ["output"]


@pytest.mark.parametrize(
    ("usage", "nano_usd"),
    [
        # 10 x 3; sound by the dearest of what is read, and of what is written: 5 x 4, 5 x 8
        (Usage(10), 30_000),
        (Usage(5, audio_input_tokens=5), 20_000),
        (Usage(5, cached_input_tokens=5, audio_input_tokens=5), 20_000),
        (Usage(0, output_tokens=5, audio_output_tokens=5), 40_000),
        # seconds as 10 tokens each, characters and other tokens as one, other pieces as the dearest that there are
        (Usage(quantities={"seconds": 2}), 160_000),
        (Usage(quantities={"characters": 3, "trained_token": 2}), 40_000),
        (Usage(quantities={"images": 1}), 500_000_000),
    ],
)
def test_what_has_no_rate_costs_the_dearest_that_there_is(usage: Usage, nano_usd: int) -> None:
    price = priced(input="3", image_input="4", output="8", web_search_call="0.5", file_search_call="0.1")
    assert cost(usage, price) == nano_usd


def test_tokens_cost_something_wherever_any_token_does() -> None:
    assert cost(Usage(0, output_tokens=10), priced(input="3")) == 30_000
    assert cost(Usage(10), priced(audio_output="3")) == 30_000


@given(usages, prices, TIERS)
def test_no_token_is_charged_twice(usage: Usage, price: Price, tier: str) -> None:
    sheet = price.sheet(tier, usage.input_tokens)
    one_rate = Price("t", "m", NOW, None, {"input": Decimal(1), "output": Decimal(1)}, "t", NOW.date())
    assert cost(replace(usage, quantities={}), one_rate) == usage.total_tokens * 1000
    dearest = usage.input_tokens * max(sheet.tokens[:7]) + usage.output_tokens * max(sheet.tokens[7:])
    actual = cost(replace(usage, quantities={}), price, service_tier=tier)
    assert 0 <= actual <= -(-dearest // 60_000_000)


@given(usages, prices, TIERS, st.integers(0, 1000), st.integers(0, 1000))
def test_no_composition_costs_more_than_the_upper_bound(
    usage: Usage, price: Price, tier: str, more_in: int, more_out: int
) -> None:
    counts = usage.input_tokens + more_in, usage.output_tokens + more_out
    actual = cost(usage, price, service_tier=tier)
    assert actual <= upper_bound(*counts, price, quantities=usage.quantities)
    assert actual <= upper_bound(*counts, price, quantities=usage.quantities, service_tier=tier)


def test_the_upper_bound_is_the_dearest_rate_that_the_length_can_reach() -> None:
    price = openai("gpt-5.5")
    # 272,000 x 5 + 1,000 x 30; one token more: 272,001 x 10 + 1,000 x 45
    assert upper_bound(272_000, 1000, price, service_tier="default") == 1_390_000_000
    assert upper_bound(272_001, 1000, price, service_tier="default") == 2_765_010_000
    # priority, which any request may be given: 300,000 x 12.5 + 1,000 x 75
    assert upper_bound(300_000, 1000, price) == 3_825_000_000
    assert upper_bound(0, 0, openai("tts-1"), quantities={"characters": 100}) == 1_500_000


@given(usages, prices, tariffs, TIERS)
def test_no_composition_is_sold_for_more_than_the_upper_bound(
    usage: Usage, price: Price, tariff: Tariff, tier: str
) -> None:
    sold, of_tokens = tariff.price(usage, price, Decimal("1.1172"), service_tier=tier)
    bound = tariff.upper_bound(
        usage.input_tokens, usage.output_tokens, price, Decimal("1.1172"), quantities=usage.quantities
    )
    assert 0 <= of_tokens <= sold <= bound


@given(prices, counts, counts, st.integers(0, 1000), st.integers(0, 1000))
def test_more_tokens_never_have_a_lower_bound(
    price: Price, given_in: int, given_out: int, more_in: int, more_out: int
) -> None:
    less = upper_bound(given_in, given_out, price)
    assert less <= upper_bound(given_in + more_in, given_out + more_out, price)


@given(st.lists(st.tuples(counts, counts, counts), max_size=20), st.sampled_from(["gpt-4o", "o3", "gpt-4.1"]))
def test_the_cost_of_parts_is_the_cost_of_the_whole(parts: list[tuple[int, int, int]], model: str) -> None:
    # Each rate is a whole number of nano-dollars a token, so no record is rounded.
    price = openai(model)
    usages = [Usage(i, cached_input_tokens=min(c, i), output_tokens=o) for i, c, o in parts]
    whole = Usage(
        sum(usage.input_tokens for usage in usages),
        cached_input_tokens=sum(usage.cached_input_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
    )
    assert sum(cost(usage, price) for usage in usages) == cost(whole, price)


def test_a_thousand_records_are_off_by_half_a_nano_each_at_most() -> None:
    price = openai("gpt-5.1")
    records = [Usage(n, cached_input_tokens=n // 2, output_tokens=n % 7) for n in range(1000)]
    exact = Decimal()
    for record in records:
        exact += (record.input_tokens - record.cached_input_tokens) * Decimal("0.625")
        exact += record.cached_input_tokens * Decimal("0.0625") + record.output_tokens * 5
    charged = sum(cost(usage, price, service_tier="flex") for usage in records)
    assert abs(charged - exact * 1000) <= 500


def test_a_plan_without_rules_sells_at_cost() -> None:
    usage = Usage(1000, cached_input_tokens=200, output_tokens=500)
    assert Tariff((), Decimal(0), "USD").price(usage, openai("gpt-4o-mini"), RATE) == (435_000, 435_000)
    assert Tariff((), Decimal(0), "EUR").price(usage, openai("gpt-4o-mini"), RATE) == (348_000, 348_000)


def test_a_markup_and_a_price_per_request_add_up() -> None:
    tariff = Tariff((PriceRule(model="gpt-4o*", markup=Decimal("1.20")),), Decimal("0.001"), "EUR")
    usage = Usage(1000, cached_input_tokens=200, output_tokens=500)
    # 435,000 x 1.2 / 1.25 + 1,000,000
    assert tariff.price(usage, openai("gpt-4o-mini"), RATE) == (1_417_600, 417_600)
    of_tokens = (800 * 2 + 100 + 500 * 8) * 800  # 200 cached at half a dollar
    assert tariff.price(usage, openai("o3"), RATE) == (of_tokens + 10**6, of_tokens)


def test_the_first_rule_that_matches_a_kind_decides() -> None:
    tariff = Tariff(
        (
            PriceRule(model="gpt-4o-mini", kind="input", rate=Decimal("0.50")),
            PriceRule(model="gpt-4o-mini", kind="input", markup=Decimal(9)),
            PriceRule(model="gpt-4o-mini", kind="output", markup=Decimal(2)),
        ),
        Decimal(0),
        "EUR",
    )
    usage = Usage(1000, cached_input_tokens=200, output_tokens=500)
    # 800 x 0.50 + (200 x 0.075 + 2 x 500 x 0.60) / 1.25 = 400 + 12 + 480
    assert tariff.price(usage, openai("gpt-4o-mini"), RATE) == (892_000, 892_000)


def test_a_rate_for_all_kinds_is_for_tokens_and_leaves_pieces_at_cost() -> None:
    tariff = Tariff((PriceRule(rate=Decimal(1)),), Decimal(0), "USD")
    usage = Usage(1000, 500, 0, 1000, quantities={"web_search_call": 1})
    assert tariff.price(usage, openai("gpt-4o"), RATE) == (12_000_000, 2_000_000)


def test_a_model_without_a_price_is_sold_by_the_plans_own_rate() -> None:
    tariff = Tariff(
        (PriceRule(model="m", rate=Decimal(2)), PriceRule(kind="image", rate=Decimal("0.1"))),
        Decimal(0),
        "EUR",
    )
    assert cost(Usage(10, output_tokens=5), priced()) == 0
    usage = Usage(10, output_tokens=5, quantities={"images": 1})
    assert tariff.price(usage, priced(), RATE) == (30_000 + 10**8, 30_000)


@pytest.mark.parametrize(
    ("given_rule", "named"),
    [
        ({}, "either a markup or a rate"),
        ({"markup": "1", "rate": "1"}, "either a markup or a rate"),
        ({"markup": "-1"}, "markup"),
        ({"markup": 1.2}, "string"),
        ({"markup": "1.1234567"}, "markup"),
        ({"rate": "NaN"}, "rate"),
        ({"rate": True}, "string"),
        ({"kind": "Input", "markup": "1"}, "kind"),
        ({"tiers": [], "markup": "1"}, "tiers"),
    ],
)
def test_a_faulty_rule_is_refused_by_name(given_rule: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        PriceRule.model_validate(given_rule)


def test_an_impossible_exchange_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="no exchange rate"):
        Tariff((), Decimal(0), "EUR").price(Usage(1), openai("gpt-4o"), Decimal(0))


def tiers(mode: str, *steps: tuple[object, str], of: str = "rate") -> PriceRule:
    given_steps = [{of: factor} | ({} if up_to is None else {"up_to": up_to}) for up_to, factor in steps]
    return PriceRule.model_validate({"tiers": {"mode": mode, "steps": given_steps}})


def test_a_record_is_priced_by_the_dearest_tier() -> None:
    usage = Usage(1000, output_tokens=1000)
    by_rate = Tariff((tiers("graduated", (1000, "2"), (5000, "3"), (None, "1")),), Decimal(0), "USD")
    assert by_rate.price(usage, openai("gpt-4o"), RATE) == (6_000_000, 6_000_000)
    by_markup = Tariff((tiers("volume", ("10.00", "1.5"), (None, "1.2"), of="markup"),), Decimal(0), "USD")
    assert by_markup.price(usage, openai("gpt-4o"), RATE) == (18_750_000, 18_750_000)


@pytest.mark.parametrize(
    ("mode", "amount", "charged"),
    [
        ("graduated", 0, 0),
        ("graduated", 1000, 2000),
        ("graduated", 1001, 2001),
        ("graduated", 5000, 6000),
        ("graduated", 5002, 6001),
        ("volume", 1000, 2000),
        ("volume", 1001, 1001),
        ("volume", 5000, 5000),
        ("volume", 5002, 2501),
    ],
)
def test_tiers_charge_each_part_or_the_whole_by_its_step(mode: str, amount: int, charged: int) -> None:
    rule = tiers(mode, (1000, "2"), (5000, "1"), (None, "0.5"))
    assert rule.tiers is not None
    assert rule.tiers.charge(amount) == charged * 10**6


graduated = st.lists(
    st.tuples(st.integers(1, 10**9), st.decimals(0, 100, places=6).map(str)), min_size=1, max_size=5
).map(
    lambda steps: (
        tiers(
            "graduated",
            *zip(sorted({up_to for up_to, _ in steps}), (f for _, f in steps), strict=False),
            (None, "1"),
        ).tiers
    )
)


@given(graduated, st.integers(0, 10**10), st.integers(0, 1000))
def test_graduated_tiers_are_monotone_without_a_jump_and_never_above_the_dearest(
    made: Tiers, amount: int, more: int
) -> None:
    charged, then = made.charge(amount), made.charge(amount + more)
    assert 0 <= then - charged <= more * int(made.dearest * 10**6)
    assert charged <= amount * int(made.dearest * 10**6)


@given(graduated, st.integers(0, 10**10))
def test_volume_tiers_charge_all_by_the_step_that_the_whole_reaches(made: Tiers, amount: int) -> None:
    def reaches(step: Step) -> bool:
        return step.bound is None or amount <= step.bound

    volume = made.model_copy(update={"mode": "volume"})
    assert volume.charge(amount) == amount * int(next(filter(reaches, made.steps)).factor * 10**6)


@pytest.mark.parametrize(
    ("given_tiers", "named"),
    [
        ({"mode": "stairs", "steps": [{"rate": "1"}]}, "mode"),
        ({"mode": "volume", "steps": []}, "steps"),
        ({"mode": "volume", "steps": [{}]}, "a rate each or a markup each"),
        ({"mode": "volume", "steps": [{"rate": "1", "markup": "1"}]}, "a rate each or a markup each"),
        ({"mode": "volume", "steps": [{"up_to": 5, "rate": "1"}, {"markup": "1"}]}, "a rate each or"),
        ({"mode": "volume", "steps": [{"up_to": 5, "rate": "1"}]}, "the last has none"),
        ({"mode": "volume", "steps": [{"rate": "1"}, {"rate": "2"}]}, "every step but the last"),
        (
            {
                "mode": "volume",
                "steps": [{"up_to": 5, "rate": "1"}, {"up_to": 5, "rate": "1"}, {"rate": "2"}],
            },
            "rise",
        ),
        ({"mode": "volume", "steps": [{"up_to": "5", "rate": "1"}, {"rate": "1"}]}, "whole number"),
        ({"mode": "volume", "steps": [{"up_to": 5, "markup": "1"}, {"markup": "1"}]}, "money"),
        ({"mode": "volume", "steps": [{"up_to": 5.5, "rate": "1"}, {"rate": "1"}]}, "up_to"),
        ({"mode": "volume", "steps": [{"to": 5, "rate": "1"}, {"rate": "1"}]}, "to"),
    ],
)
def test_faulty_tiers_are_refused_by_name(given_tiers: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        PriceRule.model_validate({"tiers": given_tiers})


def test_tiers_of_markups_are_for_all_kinds() -> None:
    with pytest.raises(ValidationError, match="'kind'"):
        PriceRule.model_validate(
            {"kind": "output", "tiers": {"mode": "volume", "steps": [{"markup": "1.1"}]}}
        )
