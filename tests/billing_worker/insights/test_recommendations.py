from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

import config
from billing_worker.insights.recommendations import (
    ModelUse,
    Offer,
    Prices,
    Recommendation,
    on_keys,
    on_models,
    on_plan,
)
from ledger.price_file import load_price_list
from ledger.usage import Usage

AT = datetime(2026, 11, 21, tzinfo=UTC)
USE = ModelUse("gpt-4o", 1000, Usage(input_tokens=10**7, output_tokens=10**5), Decimal(100))
PRO = Offer("plan_1", "Pro", "EUR", Decimal(50), 1_000_000, None)
SMALL = Offer("plan_2", "Small", "EUR", Decimal(20), 400_000, None)


@pytest.fixture(scope="module")
def prices() -> Prices:
    return Prices(load_price_list(Path(config.__file__).parent / "prices" / "openai.yaml"), AT)


def by_kind(use: ModelUse, prices: Prices, plan: Offer | None = None) -> dict[str, Recommendation]:
    return {each.kind: each for each in on_models([use], prices, plan)}


def test_long_prompts_that_are_not_cached_could_be(prices: Prices) -> None:
    # 10 M tokens of input at 2.50 and 0.1 M of output at 10.00 are 26.00 dollars; half of the input at 1.25 saves 6.25.
    found = by_kind(USE, prices)["cached_input"]
    assert (found.saving, found.currency) == (Decimal("24.04"), "EUR")
    cached = replace(USE, usage=replace(USE.usage, cached_input_tokens=2 * 10**6))
    assert "cached_input" not in by_kind(cached, prices)
    short = replace(USE, requests=100_000)
    assert "cached_input" not in by_kind(short, prices)


def test_short_answers_can_come_from_a_smaller_model(prices: Prices) -> None:
    short = replace(USE, requests=10_000)
    # gpt-4o-mini costs 0.15 and 0.60: 1.56 dollars instead of 26.00.
    found = by_kind(short, prices)["cheaper_model"]
    assert (found.facts["cheaper"], found.saving) == ("gpt-4o-mini", Decimal("94.00"))
    assert by_kind(replace(short, model="gpt-4o-2024-08-06"), prices)["cheaper_model"].facts["cheaper"] == (
        "gpt-4o-mini"
    )
    assert "cheaper_model" not in by_kind(short, prices, replace(PRO, models=("gpt-4o",)))
    assert "cheaper_model" not in by_kind(replace(short, model="gpt-4o-mini"), prices)
    assert "cheaper_model" not in by_kind(USE, prices), "its prompts are long"


def test_what_nobody_waits_for_costs_half_as_a_batch(prices: Prices) -> None:
    found = by_kind(replace(USE, idle_price_eur=Decimal(40)), prices)["batch"]
    assert found.saving == Decimal("20.00")
    assert "batch" not in by_kind(USE, prices)


def test_little_money_is_not_worth_a_word(prices: Prices) -> None:
    assert by_kind(replace(USE, price_eur=Decimal("0.90"), idle_price_eur=Decimal("0.90")), prices) == {}


def test_an_unknown_model_has_no_advice(prices: Prices) -> None:
    assert by_kind(replace(USE, model="unheard-of"), prices) == {}


def test_a_plan_that_nobody_uses_saves_its_price() -> None:
    (found,) = on_plan(PRO, [SMALL], [0, 0], [])
    assert (found.kind, found.saving) == ("unused_plan", Decimal("50.00"))
    assert list(on_plan(replace(PRO, monthly_price=Decimal(0)), [], [0], [])) == []


@pytest.mark.parametrize(
    ("tokens", "offers", "models", "saves"),
    [
        ([300_000, 320_000], [SMALL], [], "30.00"),
        # With a quarter to spare 330,000 no longer fit.
        ([300_000, 330_000], [SMALL], [], None),
        ([500_000], [replace(SMALL, monthly_quota=900_000)], [], None),
        ([100_000], [replace(SMALL, currency="USD")], [], None),
        ([100_000], [replace(SMALL, monthly_price=Decimal("49.50"))], [], None),
        ([100_000], [replace(SMALL, models=("gpt-4o*",))], ["gpt-4o-mini"], "30.00"),
        ([100_000], [replace(SMALL, models=("gpt-4o*",))], ["o3"], None),
        ([100_000], [SMALL, replace(SMALL, id="plan_3", monthly_price=Decimal(10))], [], "40.00"),
    ],
)
def test_a_smaller_plan_is_named_where_it_fits(
    tokens: list[int], offers: list[Offer], models: list[str], saves: str | None
) -> None:
    found = [each.saving for each in on_plan(PRO, offers, tokens, models)]
    assert found == ([] if saves is None else [Decimal(saves)])


def test_idle_keys_are_named() -> None:
    (found,) = on_keys(["b", "a"])
    assert (found.facts, found.saving) == ({"count": 2, "names": ["a", "b"]}, None)
    assert list(on_keys([])) == []
