from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import config
from billing_worker.app import run_once
from billing_worker.fetching import FetchError
from config.settings import Settings, SettingsError, load_settings
from ledger import audit, price_rows
from ledger.database import Pool, reading
from ledger.price_file import load_price_list
from ledger.prices import PriceList, PriceListError
from tests.billing_worker.jobs.publisher import Publisher

SHIPPED = Path(config.__file__).parent / "prices" / "openai.yaml"
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
MODEL = "gpt-4o-mini"


@pytest.fixture
def settings(database_url: str, publisher: Publisher) -> Settings:
    return load_settings({"DATABASE_URL": database_url, "TOLLKEEPER_PRICES_URL": publisher.url})


@pytest.fixture(autouse=True)
async def shipped(pool: Pool) -> None:
    async with reading(pool) as connection:
        await price_rows.store(connection, load_price_list(SHIPPED))


async def book(pool: Pool) -> PriceList:
    async with reading(pool) as connection:
        return PriceList.from_rows(await connection.fetch("select * from model_price"))


def dearer() -> bytes:
    """The shipped list, with another price of one model."""
    text = SHIPPED.read_text("utf-8")
    start = text.index(f'  "{MODEL}":')
    line = next(each for each in text[start:].splitlines() if '"default"' in each)
    return text.replace(line, '        "default": {input: "7.5", output: "9.5"}', 1).encode()


async def test_the_shipped_list_changes_nothing(settings: Settings, pool: Pool, publisher: Publisher) -> None:
    publisher.document = SHIPPED.read_bytes()
    before = list(await book(pool))
    await run_once(settings, "prices", AT)
    assert list(await book(pool)) == before
    async with reading(pool) as connection:
        assert await audit.entries(connection) == []


async def test_another_price_holds_from_now_and_the_one_before_is_ended_and_no_more(
    settings: Settings, pool: Pool, publisher: Publisher
) -> None:
    publisher.document = dearer()
    before = (await book(pool)).price_for(MODEL, AT)
    assert before is not None
    await run_once(settings, "prices", AT)
    await run_once(settings, "prices", AT + timedelta(hours=1))
    prices = await book(pool)
    earlier, now = prices.price_for(MODEL, AT - timedelta(microseconds=1)), prices.price_for(MODEL, AT)
    assert earlier is not None
    assert (earlier.ref, earlier.rates, earlier.valid_until) == (before.ref, before.rates, AT)
    assert now is not None
    assert (str(now.rates["input"]), now.valid_from) == ("7.5", AT)
    async with reading(pool) as connection:
        (entry,) = await audit.entries(connection)
    assert (entry.actor, entry.action, entry.object) == ("price list", "prices.refresh", "openai")
    assert now.ref in entry.detail["new"]


async def test_a_list_that_cannot_be_used_fails_the_run_and_changes_nothing(
    settings: Settings, pool: Pool, publisher: Publisher
) -> None:
    before = list(await book(pool))
    for document in (b"", b"models: 3", b"<html></html>", dearer().replace(b'"7.5"', b'"-1"')):
        publisher.document = document
        with pytest.raises(PriceListError):
            await run_once(settings, "prices", AT)
    publisher.status = 404
    with pytest.raises(FetchError):
        await run_once(settings, "prices", AT)
    assert list(await book(pool)) == before


async def test_a_file_does_as_well(database_url: str, pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_bytes(dearer())
    environ = {"DATABASE_URL": database_url, "TOLLKEEPER_PRICES_FILE": str(tmp_path / "list.yaml")}
    await run_once(load_settings(environ), "prices", AT)
    now = (await book(pool)).price_for(MODEL, AT)
    assert now is not None
    assert now.valid_from == AT


async def test_without_the_settings_nothing_is_read(database_url: str, pool: Pool) -> None:
    await run_once(load_settings({"DATABASE_URL": database_url}), "prices", AT)
    async with reading(pool) as connection:
        assert await connection.fetchval("select report from job_run") == {"read": False}


def test_there_is_one_list(tmp_path: Path) -> None:
    environ = {"TOLLKEEPER_PRICES_URL": "http://127.0.0.1/list", "TOLLKEEPER_PRICES_FILE": str(tmp_path)}
    with pytest.raises(SettingsError, match="TOLLKEEPER_PRICES_FILE: stands beside TOLLKEEPER_PRICES_URL"):
        load_settings(environ)
