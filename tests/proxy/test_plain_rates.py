"""The short way of pricing plain text says what the general way says."""

from datetime import date
from decimal import Decimal
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import config
from ledger.exchange import Rate, nano_usd_to_eur
from ledger.price_file import load_price_list
from ledger.price_rules import PriceRule
from ledger.prices import Price
from ledger.rating import Tariff, cost
from ledger.usage import Usage
from proxy.plain_rates import PlainRates

_PRICES = list(load_price_list(Path(config.__file__).parent / "prices" / "openai.yaml"))
_RATE = Rate(date(2026, 11, 20), Decimal("1.0837"), "test")
_TARIFFS = [
    Tariff(rules, per_request, currency)
    for rules in (
        (),
        (PriceRule(model="gpt-4o*", kind="output", rate=Decimal("12.34")), PriceRule(markup=Decimal("1.2"))),
    )
    for per_request in (Decimal(0), Decimal("0.000123456"))
    for currency in ("EUR", "USD")
]


@given(
    price=st.sampled_from(_PRICES),
    tariff=st.sampled_from(_TARIFFS),
    tier=st.sampled_from(["default", "flex", "priority", "batch"]),
    input_tokens=st.integers(0, 400_000),
    share=st.integers(0, 100),
    output_tokens=st.integers(0, 200_000),
)
def test_plain_text_costs_and_sells_for_the_same_either_way(
    price: Price, tariff: Tariff, tier: str, input_tokens: int, share: int, output_tokens: int
) -> None:
    usage = Usage(input_tokens, input_tokens * share // 100, output_tokens=output_tokens)
    plain = PlainRates(price, tariff, _RATE, tier)
    if not plain.holds_for(usage):
        assert input_tokens > plain.up_to
        return
    money = plain.money(usage.input_tokens, usage.cached_input_tokens, usage.output_tokens)
    general, of_tokens = tariff.price(usage, price, _RATE.per_euro, service_tier=tier)
    assert money.cost_usd == cost(usage, price, service_tier=tier)
    assert money.cost_eur == nano_usd_to_eur(money.cost_usd, _RATE)
    assert (money.price, money.price_tokens) == (general, of_tokens)
    assert money.price_eur == (general if tariff.currency == "EUR" else nano_usd_to_eur(general, _RATE))


@given(
    price=st.sampled_from(_PRICES),
    tariff=st.sampled_from(_TARIFFS),
    input_tokens=st.integers(0, 400_000),
    output_tokens=st.integers(0, 200_000),
)
def test_what_is_held_of_money_covers_whatever_plain_text_comes_to(
    price: Price, tariff: Tariff, input_tokens: int, output_tokens: int
) -> None:
    plain = PlainRates(price, tariff, _RATE, "default")
    if input_tokens > plain.up_to:
        return
    held = plain.most(input_tokens) + output_tokens * plain.most_per_output
    usage = Usage(input_tokens, output_tokens=output_tokens)
    assert tariff.price(usage, price, _RATE.per_euro)[0] <= held
    assert held >= tariff.upper_bound(
        input_tokens, output_tokens, price, _RATE.per_euro, service_tier="default"
    )


def test_sound_pictures_pieces_and_what_is_written_to_the_cache_are_not_plain() -> None:
    gpt_4o = next(price for price in _PRICES if price.model == "gpt-4o")
    plain = PlainRates(gpt_4o, _TARIFFS[0], _RATE, "default")
    assert plain.holds_for(Usage(10, 5, output_tokens=3, reasoning_tokens=2))
    for usage in (
        Usage(10, audio_input_tokens=1),
        Usage(10, image_input_tokens=1),
        Usage(10, cache_write_tokens=1),
        Usage(10, 11),
        Usage(10, output_tokens=5, audio_output_tokens=1),
        Usage(10, output_tokens=5, image_output_tokens=1),
        Usage(10, quantities={"web_search": 1}),
    ):
        assert not plain.holds_for(usage)
