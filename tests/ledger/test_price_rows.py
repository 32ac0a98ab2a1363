"""The price list in the database: stored once, and never over what somebody set."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from ledger.price_file import load_price_list
from ledger.price_rows import store
from ledger.prices import Price, PriceList

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

ROOT = Path(__file__).parents[2]
LIST = ROOT / "config" / "prices" / "openai.yaml"
FROM = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
async def connection(empty_database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute((ROOT / "ledger" / "migrations" / "0001_ledger.sql").read_text())
    yield connection
    await connection.close()


async def test_a_stored_list_reads_back_the_same(connection: Connection) -> None:
    openai = load_price_list(LIST)
    assert await store(connection, openai) == []
    assert await store(connection, openai) == []
    read = PriceList.from_rows(await connection.fetch("select * from model_price"))
    assert {price.ref: price for price in read} == {price.ref: price for price in openai}


async def test_a_price_that_was_edited_stays_and_is_named(connection: Connection) -> None:
    rates = {"input": Decimal("0.5")}
    prices = PriceList([Price("openai", "gpt-x", FROM, None, rates, "by hand", FROM.date())])
    await store(connection, prices)
    await connection.execute(
        """
        update model_price set rates = '{"input": "9"}' where model = 'gpt-x' and valid_from = '2026-06-01Z'
        """
    )
    assert await store(connection, prices) == ["openai/gpt-x@2026-06-01"]
    read = PriceList.from_rows(await connection.fetch("select * from model_price")).price_for("gpt-x", FROM)
    assert read is not None
    assert read.rates == {"input": Decimal(9)}
