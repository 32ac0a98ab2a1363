"""What a time that was would have cost under other terms."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from billing_worker.rating.ledger_usage import LedgerUsage
from billing_worker.rating.rate import Rated, rate
from billing_worker.rating.rater import contract_of, facts_of
from billing_worker.rating.segments import Contract
from billing_worker.rating.usage import HourTokens, UsageEntry, UsageSource, UsageSum, summed
from ledger.archive.usage import NOWHERE, ArchivedUsage
from ledger.database import Connection
from ledger.errors import ConflictError
from ledger.invoice import Currency
from ledger.organizations import Organization
from ledger.periods import Period
from ledger.plan_history import DatedTerms
from ledger.plans import PlanTerms
from ledger.prices import Price, PriceList
from ledger.rating import Tariff, cost

MOST_RECORDS: Final = 200_000
"""Each is priced again, one by one, while somebody waits."""
_AT_ONCE: Final = 5_000
_CURRENCIES: Final[tuple[Currency, ...]] = ("EUR", "USD")


class TooMuchUsageError(ConflictError):
    """More records than can be priced again at once."""


@dataclass(frozen=True, slots=True)
class Repriced:
    """A source of usage whose records were sold by `terms`, at the provider's prices and the rates of their time."""

    source: UsageSource
    prices: PriceList
    terms: PlanTerms

    async def sums(self, organization_id: str, period: Period) -> Sequence[UsageSum]:
        found: list[UsageSum] = []
        async for entry in self.entries(organization_id, period):
            found.append(entry.sum)
            if len(found) >= _AT_ONCE:
                found = list(summed(found))
        return summed(found)

    async def tokens_by_hour(self, organization_id: str, period: Period) -> Sequence[HourTokens]:
        return await self.source.tokens_by_hour(organization_id, period)

    async def entries(self, organization_id: str, period: Period) -> AsyncIterator[UsageEntry]:
        terms = self.terms
        tariff = Tariff(terms.price_rules, terms.price_per_request, terms.currency)
        async for entry in self.source.entries(organization_id, period):
            usage = entry.sum.usage
            price = self.prices.price_for(entry.sum.model, entry.occurred_at) if entry.sum.model else None
            sold, of_tokens = (
                (0, 0)
                if price is None
                else tariff.price(usage, price, entry.usd_per_eur, service_tier=_tier(entry, price))
            )
            yield replace(
                entry,
                sum=replace(entry.sum, currency=terms.currency, price_nano=sold, price_nano_tokens=of_tokens),
            )


def _tier(entry: UsageEntry, price: Price) -> str:
    """The service tier that a record was served at: the one at which it costs what it cost."""
    tiers = (tier for tier in price.sheets if _costs(entry, price, tier))
    return next(tiers, "default")


def _costs(entry: UsageEntry, price: Price, tier: str) -> bool:
    return cost(entry.sum.usage, price, service_tier=tier) == entry.provider_cost_nano_usd


@dataclass(frozen=True, slots=True)
class Preview:
    """`was` may be of several currencies, where the plan changed; `would_be` is in that of the terms."""

    was: dict[Currency, Rated]
    would_be: Rated


async def preview(
    connection: Connection,
    organization: Organization,
    span: Period,
    terms: PlanTerms,
    archive: ArchivedUsage = NOWHERE,
) -> Preview:
    """`span` under `terms` for all of its subscriptions, beside what it comes to as it was.

    Call it in a transaction that reads repeatably; `span` lies within one billing period.

    Raises TooMuchUsageError, and ArchiveUnavailable.
    """
    source = LedgerUsage(connection, archive)
    agreed = await contract_of(connection, organization)
    facts = await facts_of(connection, organization, span, contract=agreed, source=source, archive=archive)
    records = sum(each.requests for used in facts.usage for each in (*used.included, *used.charged))
    if records > MOST_RECORDS:
        raise TooMuchUsageError(
            f"{records} records are more than the {MOST_RECORDS} that can be priced again at once"
        )
    prices = PriceList.from_rows(await connection.fetch("select * from model_price"))
    other = Contract(
        agreed.time_zone,
        agreed.subscriptions,
        {each.plan_id: (DatedTerms(span.start, terms),) for each in agreed.subscriptions},
    )
    repriced = await facts_of(
        connection,
        organization,
        span,
        contract=other,
        source=Repriced(source, prices, terms),
        archive=archive,
    )
    return Preview(
        was={
            currency: rated
            for currency in _CURRENCIES
            if (rated := rate(facts, currency)).charges or currency == terms.currency
        },
        would_be=rate(repriced, terms.currency),
    )
