"""Euro rates: the one that was known on the day, and money converted by it once."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.exchange import ExchangeRateError, ExchangeRates, Rate, nano_usd_to_eur, store

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "config" / "prices" / "exchange_rates.csv"


def rate(day: str, per_euro: str) -> Rate:
    return Rate(date.fromisoformat(day), Decimal(per_euro), "test")


def test_the_latest_rate_on_or_before_the_day_applies() -> None:
    rates = ExchangeRates([rate("2026-10-30", "1.1172"), rate("2026-10-29", "1.113")])
    assert rates.rate_for(date(2026, 10, 29)).per_euro == Decimal("1.113")
    assert rates.rate_for(date(2026, 10, 30)).per_euro == Decimal("1.1172")
    assert rates.rate_for(date(2026, 11, 1)) == rate("2026-10-30", "1.1172")


def test_a_day_before_the_first_rate_is_refused_by_name() -> None:
    with pytest.raises(ExchangeRateError, match="2026-10-28"):
        ExchangeRates([rate("2026-10-29", "1.113")]).rate_for(date(2026, 10, 28))


@pytest.mark.parametrize("per_euro", ["0", "-1.1", "NaN"])
def test_what_is_no_rate_is_refused(per_euro: str) -> None:
    with pytest.raises(ExchangeRateError, match=per_euro):
        rate("2026-10-29", per_euro)


def test_two_rates_of_a_day_are_refused() -> None:
    with pytest.raises(ExchangeRateError, match="2026-10-29"):
        ExchangeRates([rate("2026-10-29", "1.113"), rate("2026-10-29", "1.114")])


def test_a_table_without_its_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text("day,currency,rate\n2026-10-29,USD,1.113\n")
    with pytest.raises(ExchangeRateError, match=r"rates\.csv"):
        ExchangeRates.load(path)


def test_the_shipped_table_has_sixty_days_and_its_source() -> None:
    rates = ExchangeRates.load(TABLE)
    assert len(rates.rows()) == 60
    assert rates.rate_for(date(2026, 11, 21)).per_euro == Decimal("1.1172")
    assert all(row["source"].startswith("ECB") for row in rates.rows())


def test_dollars_become_euros_by_division_rounded_half_to_even() -> None:
    assert nano_usd_to_eur(1_117_200_000, rate("2026-10-30", "1.1172")) == 1_000_000_000
    assert [nano_usd_to_eur(nano, rate("2026-10-30", "2")) for nano in (1, 2, 3, 5)] == [0, 1, 2, 2]


@given(st.integers(0, 10**15), st.decimals("0.5", "2", places=4))
def test_a_conversion_is_off_by_half_a_nano_at_most(nano: int, per_euro: Decimal) -> None:
    euros = nano_usd_to_eur(nano, Rate(date(2026, 1, 1), per_euro, "test"))
    assert abs(euros * per_euro - nano) * 2 <= per_euro


@pytest.fixture
async def connection(empty_database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute((ROOT / "ledger" / "migrations" / "0001_ledger.sql").read_text())
    yield connection
    await connection.close()


async def test_a_stored_rate_is_never_replaced(connection: Connection) -> None:
    await store(connection, ExchangeRates([rate("2026-10-29", "1.113")]))
    await store(connection, ExchangeRates([rate("2026-10-29", "1.2"), rate("2026-10-30", "1.1172")]))
    read = ExchangeRates.from_rows(await connection.fetch("select * from exchange_rate"))
    assert [(row["day"].day, row["per_euro"]) for row in read.rows()] == [
        (29, Decimal("1.113")),
        (30, Decimal("1.1172")),
    ]
