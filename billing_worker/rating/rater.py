"""Rating with what the ledger knows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from billing_worker.rating import calendar
from billing_worker.rating.calendar import BillingPeriod
from billing_worker.rating.ledger_usage import LedgerUsage
from billing_worker.rating.quota import gather, included_tokens
from billing_worker.rating.rate import Facts, rate
from billing_worker.rating.segments import Contract, Segment
from billing_worker.rating.usage import UsageSource
from ledger import adjustments, plan_history, service_levels, subscriptions, token_packs
from ledger.archive.usage import NOWHERE, ArchivedUsage
from ledger.database import Connection
from ledger.invoice import Currency, InvoiceLine, Language
from ledger.organizations import Organization
from ledger.periods import Period
from ledger.prices import PriceList


@dataclass(frozen=True, slots=True)
class LedgerRater:
    """Each answer is as of one instant if the connection is in a transaction that reads repeatably."""

    archive: ArchivedUsage = NOWHERE

    async def lines(
        self,
        connection: Connection,
        organization: Organization,
        currency: Currency,
        span: Period,
        language: Language,
    ) -> Sequence[InvoiceLine]:
        """All that falls due in `span`, which lies within one billing period, net of VAT."""
        facts = await facts_of(connection, organization, span, archive=self.archive)
        names = await _project_names(connection, organization.id)
        return rate(facts, currency).lines(organization.id, language, organization.time_zone, names)

    async def periods(
        self, connection: Connection, organization: Organization, within: Period
    ) -> Sequence[Period]:
        """The organization's billing periods that share time with `within`, in order."""
        history = await subscriptions.history(connection, organization.id)
        return [each.period for each in calendar.periods(history, within, organization.time_zone)]


async def contract_of(connection: Connection, organization: Organization) -> Contract:
    history = await subscriptions.history(connection, organization.id)
    plans = {each.plan_id for each in history}
    terms = {plan_id: await plan_history.of_plan(connection, plan_id) for plan_id in plans}
    return Contract(organization.time_zone, history, terms)


async def facts_of(
    connection: Connection,
    organization: Organization,
    span: Period,
    *,
    contract: Contract | None = None,
    source: UsageSource | None = None,
    archive: ArchivedUsage = NOWHERE,
) -> Facts:
    """What rating `span` depends on; `contract` and `source` in the place of what was agreed and used."""
    contract = contract or await contract_of(connection, organization)
    source = source or LedgerUsage(connection, archive)
    time = _time(contract, span)
    segments = contract.segments(span)
    packs = await token_packs.bought_within(connection, organization.id, span)
    included = included_tokens(segments, time.whole, packs)
    usage = await gather(source, organization.id, segments, included)
    promised = any(each.terms is not None and each.terms.sla is not None for each in segments)
    models = {each.model for used in usage for each in (*used.included, *used.charged)}
    return Facts(
        contract=contract,
        time=time,
        usage=usage,
        packs=packs,
        adjustments=await adjustments.within(connection, organization.id, span),
        measured=await service_levels.measure(connection, organization.id, span, archive)
        if promised
        else None,
        priced_as=await _priced_as(connection, segments, models, span),
    )


def _time(contract: Contract, span: Period) -> BillingPeriod:
    around = calendar.periods(contract.subscriptions, span, contract.time_zone)
    return BillingPeriod(span, around[0].whole)


async def _priced_as(
    connection: Connection, segments: Iterable[Segment], models: Iterable[str], span: Period
) -> dict[str, str]:
    """Only rules of a plan's own ask what the price list calls a model."""
    if not any(each.terms is not None and each.terms.price_rules for each in segments):
        return {}
    prices = PriceList.from_rows(await connection.fetch("select * from model_price"))
    found = {model: prices.price_for(model, span.end) for model in models if model}
    return {model: price.model for model, price in found.items() if price is not None}


async def _project_names(connection: Connection, organization_id: str) -> dict[str, str]:
    rows = await connection.fetch("select id, name from project where organization_id = $1", organization_id)
    return {row["id"]: row["name"] for row in rows}
