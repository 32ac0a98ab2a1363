"""A seller with customers, whose usage is written straight into the ledger."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing_worker.invoicing.clerk import Clerk
from billing_worker.invoicing.customers import Payer
from ledger import billing_profiles, organizations, plans, sellers, subscriptions
from ledger.database import Pool, reading, transaction
from ledger.exchange import ExchangeRates, Rate, store
from ledger.invoices import InvoiceRecord
from ledger.organizations import Organization
from ledger.periods import Period
from ledger.plans import PlanTerms
from ledger.sellers import SellerTerms
from ledger.usage_partitions import ensure_month

SELLER = SellerTerms.model_validate(
    {
        "name": "Péage SAS",
        "address": {"lines": ["1 rue des Écluses"], "postal_code": "75010", "city": "Paris", "country": "FR"},
        "siren": "732829320",
        "vat_number": "FR44732829320",
        "email": "factures@peage.example",
        "legal_mention": "SAS au capital de 10 000 EUR, RCS Paris 732 829 320",
        "iban": "FR7630006000011234567890189",
        "bic": "AGRIFRPP",
    }
)
OCTOBER = Period(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
NOVEMBER = Period(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
AFTER = datetime(2026, 11, 3, tzinfo=UTC)
"""When October may be closed."""


@dataclass
class World:
    """Organizations live in UTC, from the beginning of October 2026 on, unless told otherwise."""

    pool: Pool
    clerk: Clerk
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def open(self) -> None:
        async with transaction(self.pool) as connection:
            await sellers.put(connection, "test", SELLER)
            await store(connection, ExchangeRates([Rate(date(2026, 1, 1), Decimal("1.10"), "ECB")]))

    async def customer(
        self, name: str = "Atelier", *, since: datetime = OCTOBER.start, zone: str = "UTC", **terms: Any
    ) -> Organization:
        async with transaction(self.pool) as connection:
            made = await organizations.create(
                connection, "test", name=name, time_zone=zone, email="a@b.example"
            )
            wanted = {"name": f"plan {next(self.numbers)}", "monthly_price": Decimal(10), **terms}
            plan = await plans.create(connection, "test", PlanTerms(**wanted))
            await subscriptions.replace(connection, "test", made.id, plan.id, now=since, start=since)
            await connection.execute(
                "update subscription set created_at = $1 where organization_id = $2", since, made.id
            )
        return made

    async def profile(self, organization: Organization, **changes: Any) -> None:
        async with transaction(self.pool) as connection:
            await billing_profiles.change(connection, "test", organization.id, changes)

    async def use(
        self,
        organization: Organization,
        at: datetime,
        price: str = "1",
        *,
        tokens: int = 100,
        model: str = "gpt-4o",
        currency: str = "EUR",
        count: int = 1,
    ) -> None:
        """So many records, a second apart; `price` is of each."""
        nano = int(Decimal(price).scaleb(9))
        async with reading(self.pool) as connection:
            await ensure_month(connection, at)
            await connection.execute(
                "insert into usage (request_id, occurred_at, organization_id, endpoint, model, upstream, stream,"
                " status, outcome, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,"
                " reasoning_tokens, audio_input_tokens, audio_output_tokens, cost_nano_usd, cost_nano_eur,"
                " price_nano, price_nano_tokens, price_nano_eur, currency, usd_per_eur, usage_source,"
                " request_bytes, response_bytes, duration_ms)"
                " select 'req_' || $1::int + n, $2::timestamptz + n * interval '1 second', $3,"
                " 'chat/completions', $4, 'openai', false, 200, 'completed', $5, 0, 0, 0, 0, 0, 0,"
                " $6, $6, $6, $6, $6, $7, 1.1, 'provider', 100, 200, 30 from generate_series(0, $8::int - 1) as n",
                *(next(self.numbers) * 1_000_000, at, organization.id, model, tokens, nano, currency, count),
            )

    async def draft(self, payer: Payer, period: Period, at: datetime | None = None) -> InvoiceRecord:
        made = await self.clerk.refresh(payer, period, at or AFTER)
        assert made is not None
        return made

    async def closed(self, payer: Payer, period: Period, at: datetime | None = None) -> InvoiceRecord:
        """The invoice that was issued for it."""
        made = await self.clerk.close("test", payer, period, at or AFTER)
        assert made is not None
        return made

    def account(self, organization_id: str) -> Payer:
        return Payer(organization_id, "EUR")

    def payer(self, organization: Organization, currency: str = "EUR") -> Payer:
        return Payer(organization.id, currency)  # type: ignore[arg-type]


def october(day: int, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(2026, 10, day, hour, minute, tzinfo=UTC)


def days(count: int) -> timedelta:
    return timedelta(days=count)
