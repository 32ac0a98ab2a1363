"""The money of one request: what is held before it is never less than what it comes to."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import config
from ledger.exchange import Rate
from ledger.price_file import load_price_list
from ledger.price_rules import PriceRule
from ledger.prices import Price
from ledger.rating import Tariff
from ledger.usage import Usage
from proxy.pricing import Quote

PRICES = load_price_list(Path(config.__file__).parent / "prices" / "openai.yaml")
RATE = Rate(date(2026, 11, 20), Decimal("1.1523"), "test")
AT_COST = Tariff((), Decimal(0), "USD")
MARKED_UP = Tariff(
    (PriceRule(model="gpt-5*", markup=Decimal("1.37")), PriceRule(kind="output", rate=Decimal("3.7"))),
    Decimal("0.0007"),
    "EUR",
)


def entries() -> list[Price]:
    """Models whose long prompts have a price of their own."""
    found = [
        price
        for row in PRICES.rows()
        if (price := PRICES.price_for(row["model"], row["valid_from"])) is not None
        and any(len(sheets) > 1 for sheets in price.sheets.values())
    ]
    assert found
    return found


TIERED = entries()


@given(
    st.sampled_from(TIERED),
    st.sampled_from([AT_COST, MARKED_UP]),
    st.integers(0, 1_000_000),
    st.integers(0, 200_000),
)
def test_what_is_held_covers_what_it_comes_to(
    entry: Price, tariff: Tariff, input_tokens: int, output_tokens: int
) -> None:
    quote = Quote(entry, tariff, RATE)
    held = quote.most(input_tokens, 0) + output_tokens * quote.most_per_output_token(input_tokens)
    assert held >= quote.money(Usage(input_tokens=input_tokens, output_tokens=output_tokens)).price


@pytest.mark.parametrize("tariff", [AT_COST, MARKED_UP])
def test_a_model_without_a_price_costs_nothing(tariff: Tariff) -> None:
    quote = Quote(None, tariff, RATE)
    money = quote.money(Usage(input_tokens=10**6, output_tokens=10**6))
    assert (money.cost_usd, money.cost_eur, money.price, money.price_eur) == (0, 0, 0, 0)
    assert quote.most(10**6, 10**6) == quote.most_per_output_token(10**6) == 0
    assert quote.ref is None


def test_a_price_in_euro_is_the_same_in_both_columns() -> None:
    money = Quote(TIERED[0], MARKED_UP, RATE).money(Usage(input_tokens=100, output_tokens=100))
    assert money.price == money.price_eur > 700_000


def test_a_faster_tier_without_rates_of_its_own_costs_what_priority_does() -> None:
    entry = PRICES.price_for("gpt-5", datetime(2026, 11, 20, tzinfo=UTC))
    assert entry is not None
    usage, quote = Usage(input_tokens=100, output_tokens=100), Quote(entry, AT_COST, RATE)
    dear = quote.served("priority").money(usage).price
    assert dear == 2 * quote.money(usage).price
    assert quote.served("ultrafast").money(usage).price == dear
    assert quote.served("scale").money(usage) == quote.served(None).money(usage) == quote.money(usage)


def test_what_asks_for_flex_is_held_as_standard() -> None:
    entry = PRICES.price_for("gpt-5", datetime(2026, 11, 20, tzinfo=UTC))
    flex = Quote(entry, AT_COST, RATE, "flex")
    assert flex.held.most(100, 100) == Quote(entry, AT_COST, RATE).most(100, 100) > flex.most(100, 100)
    assert Quote(entry, AT_COST, RATE, "batch").held.service_tier == "batch"
