"""The price list: which price a model has at an instant, and that nothing is priced by resemblance."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ledger.price_file import load_price_list
from ledger.prices import Price, PriceList, PriceListError

ROOT = Path(__file__).parents[2]
LIST = ROOT / "config" / "prices" / "openai.yaml"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
ONE_MODEL = """
provider: openai
source: by hand
source_date: 2026-11-21
models:
  gpt-x:
    aliases: [gpt-x-chat]
    prices:
      - valid_from: 2026-01-01
        default: {input: "1", output: "2"}
      - valid_from: 2026-06-01
        default: {input: "0.5", output: "1"}
        flex: {input: "0.25"}
        default>1000: {input: "3"}
"""


def written(tmp_path: Path, text: str = ONE_MODEL) -> Path:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def openai() -> PriceList:
    return load_price_list(LIST)


@pytest.mark.parametrize(
    ("model", "ref"),
    [
        ("gpt-4o-mini", "openai/gpt-4o-mini@2024-07-18"),
        ("gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini@2024-07-18"),
        ("gpt-4o-2024-08-06", "openai/gpt-4o@2024-08-06"),
        ("gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13@2024-05-13"),
        ("gpt-4-0613", "openai/gpt-4@2020-01-01"),
        ("gpt-3.5-turbo-0125", "openai/gpt-3.5-turbo@2020-01-01"),
        ("gpt-3.5-turbo-1106", "openai/gpt-3.5-turbo-1106@2020-01-01"),
        ("gpt-5.1-chat-latest", "openai/gpt-5.1-chat-latest@2025-11-13"),
        ("ft:gpt-4o-mini-2024-07-18:acme:support:AbC123", "openai/ft:gpt-4o-mini@2020-01-01"),
        ("ft:gpt-3.5-turbo-0125:acme::AbC123", "openai/ft:gpt-3.5-turbo@2020-01-01"),
    ],
)
def test_a_model_has_its_own_price_or_its_snapshots(openai: PriceList, model: str, ref: str) -> None:
    for _ in range(2):  # the second answer is a remembered one
        price = openai.price_for(model, NOW)
        assert price is not None
        assert price.ref == ref


@pytest.mark.parametrize(
    "model",
    [
        "",
        "gpt",
        "gpt-4o-mini-paced",
        "gpt-4o-mini+tokens=200",
        "gpt-4o-minister",
        "gpt-4o-mini-2024-13-18",
        "gpt-4o-mini-9999",
        "GPT-4O",
        "sim-fast",
        "gpt-4o-mini:acme",
        "ft:gpt-4.1:acme::x",
        "ft:no-such-model:acme::x",
    ],
)
def test_what_is_not_listed_has_no_price(openai: PriceList, model: str) -> None:
    assert openai.price_for(model, NOW) is None


def test_names_from_callers_do_not_fill_the_memory(openai: PriceList) -> None:
    start = datetime(2000, 1, 1, tzinfo=UTC)
    for day in range(9000):
        openai.price_for(f"gpt-4o-{start + timedelta(days=day):%Y-%m-%d}", NOW)
        openai.price_for(f"unknown-{day}", NOW)
    assert len(openai._remembered) <= len(openai._prices) + 4096
    assert openai.price_for("gpt-4o-2099-01-01", NOW) is not None


def test_the_price_of_the_instant_applies(tmp_path: Path) -> None:
    prices = load_price_list(written(tmp_path))

    def at(instant: datetime) -> str | None:
        price = prices.price_for("gpt-x", instant)
        return price.ref if price else None

    change = datetime(2026, 6, 1, tzinfo=UTC)
    assert at(datetime(2025, 12, 31, 23, 59, tzinfo=UTC)) is None
    assert at(datetime(2026, 1, 1, tzinfo=UTC)) == "openai/gpt-x@2026-01-01"
    assert at(change - timedelta(microseconds=1)) == "openai/gpt-x@2026-01-01"
    assert at(change) == "openai/gpt-x@2026-06-01"


def test_a_price_ends_before_its_valid_until() -> None:
    end = datetime(2026, 6, 1, tzinfo=UTC)
    price = Price(
        "openai",
        "gpt-x",
        datetime(2026, 1, 1, tzinfo=UTC),
        end,
        {"input": Decimal(1)},
        "test",
        date(2026, 1, 1),
    )
    prices = PriceList([price])
    assert prices.price_for("gpt-x", end - timedelta(microseconds=1)) is price
    assert prices.price_for("gpt-x", end) is None


def test_a_service_tier_costs_its_rates_and_else_the_default(tmp_path: Path) -> None:
    price = load_price_list(written(tmp_path)).price_for("gpt-x", NOW)
    assert price is not None
    unit = 60_000_000_000  # one dollar per million tokens

    def rates(tier: str, length: int) -> tuple[float, float]:
        tokens = price.sheet(tier, length).tokens
        return tokens[0] / unit, tokens[7] / unit

    assert rates("default", 1000) == (0.5, 1)
    assert rates("default", 1001) == (3, 1)
    assert rates("flex", 1000) == (0.25, 1)
    assert rates("flex", 1001) == (0.25, 1)  # what flex says holds for any length
    assert rates("no-such-tier", 1001) == (3, 1)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('{input: "1", output: "2"}', "{input: minus}", "minus"),
        ('{input: "1", output: "2"}', '{input: "-1"}', "-1"),
        ('{input: "1", output: "2"}', '{input: "1e3"}', "1e3"),
        ('{input: "1", output: "2"}', '{input: "0.12345678901"}', "0.12345678901"),
        ('{input: "1", output: "2"}', '{"in put": "1"}', "in put"),
        ("2026-06-01", "2026-01-01", "listed twice"),
        ("models:", "model:", "models"),
        ("- valid_from: 2026-01-01", "- valid: 2026-01-01", "valid_from"),
    ],
)
def test_a_faulty_list_is_refused_by_name(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in ONE_MODEL
    with pytest.raises(PriceListError, match=named):
        load_price_list(written(tmp_path, ONE_MODEL.replace(old, new)))


def test_the_shipped_list_states_its_source_and_has_todays_models(openai: PriceList) -> None:
    chat = ["gpt-4.1", "gpt-5", "gpt-5.5", "o3", "o4-mini", "davinci-002"]
    others = ["gpt-realtime", "gpt-image-1", "text-embedding-3-large", "whisper-1", "tts-1", "dall-e-3"]
    for model in chat + others:
        price = openai.price_for(model, NOW)
        assert price is not None, model
        assert price.source
        assert price.source_date <= NOW.date()
        assert all(rate >= 0 for rate in price.rates.values())


def test_tools_cost_what_the_provider_asks_of_everyone_unless_a_model_has_its_own_rate(
    tmp_path: Path,
) -> None:
    text = ONE_MODEL.replace("models:", 'pieces: {search: "0.01", store: "0.002"}\nmodels:', 1)
    text = text.replace(
        'default: {input: "0.5", output: "1"}', 'default: {input: "1", output: "1", search: "0.05"}'
    )
    prices = load_price_list(written(tmp_path, text))
    first = prices.price_for("gpt-x", datetime(2026, 2, 1, tzinfo=UTC))
    then = prices.price_for("gpt-x", NOW)
    assert first is not None
    assert then is not None
    assert (first.rates["search"], first.rates["store"]) == (Decimal("0.01"), Decimal("0.002"))
    assert (then.rates["search"], then.rates["store"]) == (Decimal("0.05"), Decimal("0.002"))


def test_what_cannot_call_tools_has_no_price_for_them(openai: PriceList) -> None:
    for model in ("text-embedding-3-small", "tts-1", "whisper-1", "dall-e-3"):
        price = openai.price_for(model, NOW)
        assert price is not None
        assert "web_search_call" not in price.rates


@pytest.mark.parametrize(
    "model", ["gpt-4.1-nano", "gpt-4o-search-preview", "gpt-5.1-codex-mini", "o1", "gpt-6-sol"]
)
def test_every_model_of_texts_has_a_price_for_each_tool(openai: PriceList, model: str) -> None:
    price = openai.price_for(model, NOW)
    assert price is not None
    assert {
        "web_search_call",
        "web_search_preview_call",
        "file_search_call",
        "code_interpreter_session",
        "image_tool_output_token",
    } <= price.rates.keys()


def test_training_has_a_price_where_a_model_can_be_tuned(openai: PriceList) -> None:
    price = openai.price_for("gpt-4o-mini-2024-07-18", NOW)
    assert price is not None
    assert price.rates["trained_token"] * 1_000_000 == 3


@pytest.mark.parametrize(
    "model",
    [
        "text-embedding-3-small",
        "text-embedding-3-large",
        "text-embedding-ada-002",
        "o4-mini-deep-research",
        "gpt-4o",
    ],
)
def test_a_batch_costs_half(openai: PriceList, model: str) -> None:
    price = openai.price_for(model, NOW)
    assert price is not None
    assert price.sheet("batch", 1).tokens[0] * 2 == price.sheet("default", 1).tokens[0]


def test_no_batch_costs_more_than_single_calls(openai: PriceList) -> None:
    for price in openai:
        batch, single = price.sheet("batch", 1), price.sheet("default", 1)
        assert all(less <= more for less, more in zip(batch.tokens, single.tokens, strict=True)), price.ref
