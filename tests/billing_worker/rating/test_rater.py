"""Rating from what the ledger has: records as rows, plans as they were, and what a time would have cost otherwise."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import config
from billing_worker.rating import preview
from billing_worker.rating.preview import TooMuchUsageError
from billing_worker.rating.rater import LedgerRater
from ledger import (
    adjustments,
    exchange,
    organizations,
    plans,
    price_rows,
    projects,
    subscriptions,
    token_packs,
)
from ledger.database import Connection, Pool, reading, transaction
from ledger.exchange import ExchangeRates
from ledger.limits import Limits
from ledger.organizations import Organization
from ledger.periods import Period
from ledger.plans import PlanTerms
from ledger.price_file import load_price_list
from ledger.rating import Tariff, cost
from ledger.usage import Usage
from tests.billing_worker.rating.worked import PARIS, paris
from tests.usage import enter

PRICES = load_price_list(Path(config.__file__).parent / "prices" / "openai.yaml")
OCTOBER = Period(paris(2026, 10, 1), paris(2026, 11, 1))


@asynccontextmanager
async def snapshot(pool: Pool) -> AsyncIterator[Connection]:
    async with reading(pool) as connection, connection.transaction(isolation="repeatable_read"):
        yield connection


@pytest.fixture
async def organization(pool: Pool) -> Organization:
    async with transaction(pool) as connection:
        await price_rows.store(connection, PRICES)
        await exchange.store(
            connection,
            ExchangeRates.load(Path(config.__file__).parent / "prices" / "exchange_rates.csv"),
        )
        return await organizations.create(connection, "test", name="Atelier", time_zone="Europe/Paris")


async def on(pool: Pool, organization: Organization, start: datetime, **fields: Any) -> None:
    async with transaction(pool) as connection:
        terms = PlanTerms.model_validate({"name": f"Plan of {start:%d %B}", **fields})
        plan = await plans.create(connection, "test", terms, at=start)
        await subscriptions.replace(connection, "test", organization.id, plan.id, now=start)


async def sell(pool: Pool, organization: Organization, number: int, at: datetime, **fields: Any) -> None:
    """A row as the drain writes it, sold at cost in euros."""
    tier = fields.pop("tier", "default")
    usage = Usage(input_tokens=fields.pop("input_tokens", 0), output_tokens=fields.pop("output_tokens", 0))
    price = PRICES.price_for(fields.get("model", "gpt-4o"), at)
    assert price is not None
    tariff = Tariff((), Decimal(0), "EUR")
    sold, of_tokens = tariff.price(usage, price, Decimal("1.25"), service_tier=tier)
    await enter(
        pool,
        f"req_{number}",
        organization.id,
        occurred_at=at,
        input_tokens=usage.input_tokens,
        cached_input_tokens=0,
        output_tokens=usage.output_tokens,
        cost_nano_usd=cost(usage, price, service_tier=tier),
        price_nano=sold,
        price_nano_tokens=of_tokens,
        usd_per_eur=Decimal("1.25"),
        **fields,
    )


async def test_a_month_of_the_ledger_is_rated_with_all_that_belongs_to_it(
    pool: Pool, organization: Organization
) -> None:
    await on(
        pool,
        organization,
        paris(2026, 9, 1),
        monthly_price="10",
        monthly_quota=1_000_000,
        overage="bill",
        sla={"uptime_percent": "99.9", "credits": [{"below": "99.9", "percent": "10"}]},
    )
    async with transaction(pool) as connection:
        project = await projects.create(
            connection, "test", organization.id, name="Search", limits=Limits(), now=OCTOBER.start
        )
        await token_packs.create(
            connection, "test", organization.id, tokens=500_000, now=paris(2026, 10, 2), price=Decimal("1.50")
        )
        await adjustments.create(
            connection,
            "test",
            organization.id,
            amount=Decimal("-2.00"),
            currency="EUR",
            reason="Geste commercial",
            at=paris(2026, 10, 5),
        )
    # The quota and the pack run out in the second one; what is left of it and the third are beyond.
    await sell(pool, organization, 1, paris(2026, 10, 3), input_tokens=1_000_000)
    await sell(pool, organization, 2, paris(2026, 10, 4, 10, 59), input_tokens=1_000_000)
    await sell(
        pool,
        organization,
        3,
        paris(2026, 10, 25, 2),
        output_tokens=100_000,
        project_id=project.id,
        status=500,
    )
    await sell(pool, organization, 4, paris(2026, 11, 1), input_tokens=10**9)
    async with snapshot(pool) as connection:
        lines = await LedgerRater().lines(connection, organization, "EUR", OCTOBER, "fr")
        assert await LedgerRater().lines(connection, organization, "USD", OCTOBER, "fr") == ()
    # One of 44,700 minutes failed: 99.997 %, which keeps the promise.
    assert [line.project_name for line in lines if line.project] == ["Search"]
    assert [(line.kind, line.net, line.project, line.model) for line in lines] == [
        ("subscription", Decimal("10.00"), None, None),
        ("overage", Decimal("1.00"), None, "gpt-4o"),
        ("overage", Decimal("0.80"), project.id, "gpt-4o"),
        ("token_pack", Decimal("1.50"), None, None),
        ("adjustment", Decimal("-2.00"), None, None),
    ]
    assert [line.description for line in lines] == [
        "Plan of 31 August, du 1 oct. 2026 au 31 oct. 2026",
        "gpt-4o, au-delà du forfait : 500\u202f000 jetons d'entrée",
        "gpt-4o (Search), au-delà du forfait : 100\u202f000 jetons de sortie",
        "500\u202f000 jetons achetés le 2 oct. 2026",
        "Geste commercial",
    ]


async def test_periods_are_those_of_the_subscriptions(pool: Pool, organization: Organization) -> None:
    await on(pool, organization, paris(2026, 9, 1))
    async with transaction(pool) as connection:
        plan = await plans.create(connection, "test", PlanTerms(name="By anniversary"))
        start = paris(2026, 10, 31, 15)
        await subscriptions.replace(
            connection, "test", organization.id, plan.id, now=start, period_anchor="anniversary"
        )
    within = Period(paris(2026, 10, 15), paris(2026, 12, 15))
    async with snapshot(pool) as connection:
        found = await LedgerRater().periods(connection, organization, within)
    starts = [each.start.astimezone(PARIS).date().isoformat() for each in found]
    assert starts == ["2026-10-01", "2026-10-31", "2026-11-30"]
    assert found[-1].end == paris(2026, 12, 31)


async def test_a_month_under_other_terms_is_priced_again_record_by_record(
    pool: Pool, organization: Organization
) -> None:
    await on(pool, organization, paris(2026, 9, 1), monthly_price="10")
    await sell(pool, organization, 1, paris(2026, 10, 3), input_tokens=1_000_000)
    # By the batch, at half the price: the record's cost says so.
    await sell(pool, organization, 2, paris(2026, 10, 4), input_tokens=1_000_000, tier="batch")
    other = PlanTerms.model_validate(
        {
            "name": "Other",
            "currency": "USD",
            "monthly_price": "3",
            "price_rules": [{"markup": "1.2"}],
            "price_per_request": "0.50",
        }
    )
    async with snapshot(pool) as connection:
        found = await preview.preview(connection, organization, OCTOBER, other)
    # 2.50 and 1.25 dollars are 3.00 euros
    assert {currency: rated.net for currency, rated in found.was.items()} == {
        "EUR": Decimal("13.00"),
        "USD": Decimal(0),
    }
    # 3 + (2.50 + 1.25) x 1.2 + 2 x 0.50
    assert found.would_be.net == Decimal("8.50")


async def test_the_terms_that_held_are_their_own_preview(pool: Pool, organization: Organization) -> None:
    own = {"monthly_price": "10", "monthly_quota": 1_500_000, "overage": "bill"}
    await on(pool, organization, paris(2026, 9, 1), **own)
    for number in range(3):
        at = paris(2026, 10, 3) + timedelta(minutes=25 * number)
        await sell(pool, organization, number, at, input_tokens=777_777, model="o3" if number else "gpt-4o")
    terms = PlanTerms.model_validate({"name": "Plan of 31 August", **own})
    async with snapshot(pool) as connection:
        found = await preview.preview(connection, organization, OCTOBER, terms)
    assert found.would_be == found.was["EUR"]
    assert len(found.would_be.charges) == 2


async def test_more_than_can_be_priced_again_is_refused(
    pool: Pool, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "MOST_RECORDS", 0)
    await sell(pool, organization, 1, datetime(2026, 10, 9, tzinfo=UTC), input_tokens=1)
    async with snapshot(pool) as connection:
        with pytest.raises(TooMuchUsageError, match="1 records"):
            await preview.preview(connection, organization, OCTOBER, PlanTerms(name="Other"))
