from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing_worker.app import run_once
from billing_worker.fetching import FetchError
from config.settings import Settings, load_settings
from ledger import alerts, exchange
from ledger.database import Pool, reading
from ledger.exchange import ExchangeRateError, ExchangeRates, Rate
from tests.billing_worker.jobs.publisher import Publisher

AT = datetime(2026, 11, 20, 18, 45, tzinfo=UTC)
JOB = "exchange_rates"


@pytest.fixture
def settings(database_url: str, publisher: Publisher) -> Settings:
    return load_settings({"DATABASE_URL": database_url, "TOLLKEEPER_EXCHANGE_RATES_URL": publisher.url})


@pytest.fixture(autouse=True)
async def known(pool: Pool) -> None:
    async with reading(pool) as connection:
        rate = Rate(date(2026, 11, 18), Decimal("1.15"), "shipped")
        await exchange.store(connection, ExchangeRates([rate]))


async def held(pool: Pool) -> dict[str, str]:
    async with reading(pool) as connection:
        rows = await connection.fetch("select * from exchange_rate order by day")
    return {str(row["day"]): str(row["per_euro"].normalize()) for row in rows}


async def test_days_that_are_missing_are_added_and_none_is_replaced(
    settings: Settings, pool: Pool, publisher: Publisher
) -> None:
    publisher.document = b"Date,USD\n2026-11-20,1.16\n2026-11-19,1.155\n2026-11-18,1.14\n"
    await run_once(settings, JOB, AT)
    await run_once(settings, JOB, AT)
    assert await held(pool) == {"2026-11-18": "1.15", "2026-11-19": "1.155", "2026-11-20": "1.16"}
    async with reading(pool) as connection:
        reports = await connection.fetch("select report from job_run order by id")
    assert [row["report"]["days"] for row in reports] == [2, 0]


async def test_days_to_come_are_left_for_later(settings: Settings, pool: Pool, publisher: Publisher) -> None:
    publisher.document = b"Date,USD\n2026-11-21,1.16\n2026-11-20,1.155\n"
    await run_once(settings, JOB, AT)
    assert list(await held(pool)) == ["2026-11-18", "2026-11-20"]


async def test_of_a_document_with_a_rate_that_cannot_be_nothing_is_taken(
    settings: Settings, pool: Pool, publisher: Publisher
) -> None:
    publisher.document = b"Date,USD\n2026-11-20,11.6\n2026-11-19,1.155\n"
    with pytest.raises(ExchangeRateError, match=r"2026-11-20: 11.6 after 1.155"):
        await run_once(settings, JOB, AT)
    assert list(await held(pool)) == ["2026-11-18"]


async def test_an_answer_that_is_none_or_too_long_fails_the_run(
    settings: Settings, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.status = 503
    with pytest.raises(FetchError, match=r"127.0.0.1 answered 503"):
        await run_once(settings, JOB, AT)
    publisher.status, publisher.document = 200, b"x" * 100
    monkeypatch.setattr("billing_worker.jobs.exchange_rates.LARGEST", 50)
    with pytest.raises(FetchError, match="more than 50 bytes"):
        await run_once(settings, JOB, AT)


async def test_rates_that_stopped_coming_are_alarmed_until_they_come_again(
    settings: Settings, pool: Pool, publisher: Publisher
) -> None:
    publisher.document = b"Date,USD\n2026-11-20,1.16\n"
    await run_once(settings, JOB, AT.replace(month=12, day=1))
    async with reading(pool) as connection:
        (alert,) = await alerts.listing(connection, ended=False)
    assert (alert.kind, alert.detail) == ("exchange_rate_stale", {"last": "2026-11-20"})
    publisher.document = b"Date,USD\n2026-12-01,1.16\n"
    await run_once(settings, JOB, AT.replace(month=12, day=1))
    async with reading(pool) as connection:
        assert await alerts.listing(connection, ended=False) == []


async def test_without_the_setting_nothing_is_asked_of_anybody(database_url: str, pool: Pool) -> None:
    await run_once(load_settings({"DATABASE_URL": database_url}), JOB, AT)
    async with reading(pool) as connection:
        assert await connection.fetchval("select report from job_run") == {"fetched": False}
