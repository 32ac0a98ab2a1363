"""Looks at one organization: reads what is needed, in short reads, and leaves the thinking to pure functions."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing_worker.insights.anomalies import Anomaly, anomalies
from billing_worker.insights.history import DAYS, days_of, filled
from billing_worker.insights.recommendations import (
    ModelUse,
    Offer,
    Prices,
    Recommendation,
    on_keys,
    on_models,
    on_plan,
)
from ledger import plans, subscriptions
from ledger.archive.usage import ArchivedUsage
from ledger.breakdown import Part, breakdown
from ledger.database import Connection
from ledger.organizations import Organization
from ledger.pages import Slice
from ledger.periods import day_of, month_of
from ledger.plans import Plan
from ledger.usage import Usage
from ledger.usage_filter import Filter

MONTH = timedelta(days=30)
IDLE = timedelta(days=90)
NIGHT = range(6)
"""Hours of the organization's own clock at which nobody is taken to wait."""
BATCHABLE = ("chat.completions", "responses", "completions", "embeddings")
_LEAST = {"tokens": 1000.0, "cost": 0.5}
_MOST_GROUPS = 200_000
_NANO = Decimal(10) ** 9


@dataclass(frozen=True, slots=True)
class UnusualDay:
    day: date
    measure: str
    anomaly: Anomaly


async def unusual_days(
    connection: Connection, organization: Organization, at: datetime, archive: ArchivedUsage, *, last: int
) -> list[UnusualDay]:
    """Of the `last` days that are over. Raises ArchiveUnavailable."""
    today, history = await _history(connection, organization, at, archive)
    found = []
    for measure, values in (
        ("tokens", [(day, float(part.total_tokens)) for day, part in history]),
        ("cost", [(day, part.price_nano_eur / 1e9) for day, part in history]),
    ):
        series = filled(values, today)
        judged = await asyncio.to_thread(anomalies, series, least=_LEAST[measure])
        for each in judged:
            day = today - timedelta(days=len(series) - each.place)
            if today - day <= timedelta(days=last):
                found.append(UnusualDay(day, measure, each))
    return found


async def _history(
    connection: Connection, organization: Organization, at: datetime, archive: ArchivedUsage
) -> tuple[date, list[tuple[date, Part]]]:
    """Today, and the days before it that have usage."""
    today = day_of(at, organization.time_zone)
    wanted = Filter(organization_id=organization.id)
    first, yesterday = today - timedelta(days=DAYS), today - timedelta(days=1)
    found = await days_of(connection, wanted, first, yesterday, organization.time_zone, archive)
    return today, list(found.items())


async def recommendations(
    connection: Connection, organization: Organization, at: datetime, prices: Prices, archive: ArchivedUsage
) -> list[Recommendation]:
    """Raises ArchiveUnavailable."""
    subscription = await subscriptions.current(connection, organization.id, at)
    plan = None if subscription is None else await plans.get(connection, subscription.plan_id)
    found: list[Recommendation] = []
    offer = None if plan is None else _offer(plan)
    # Tokens that a plan's price includes cost nothing more, so using them otherwise saves nothing.
    if plan is None or plan.monthly_quota <= 0:
        uses = await _uses(connection, organization, at, archive)
        found += on_models(uses, prices, offer)
    months = await _whole_months(connection, organization, at, archive)
    if offer is not None and subscription is not None and subscription.start <= months[0][0]:
        offers = [_offer(each) for each in await plans.listing(connection, Slice()) if each.active]
        tokens = [sum(part.total_tokens for part in parts) for _, parts in months]
        models = sorted({part.by[0] for _, parts in months for part in parts})
        found += on_plan(offer, [each for each in offers if each.id != offer.id], tokens, models)
    found += on_keys(await _idle_keys(connection, organization, at, archive))
    return found


async def _uses(
    connection: Connection, organization: Organization, at: datetime, archive: ArchivedUsage
) -> list[ModelUse]:
    wanted = Filter(start=_hour(at - MONTH), end=at, organization_id=organization.id)
    parts = await breakdown(
        connection, wanted, ("hour", "model", "endpoint", "stream"), limit=_MOST_GROUPS, archive=archive
    )
    zone = ZoneInfo(organization.time_zone)
    by_model: dict[str, list[Part]] = {}
    for part in parts:
        by_model.setdefault(part.by[1], []).append(part)

    def is_idle(part: Part) -> bool:
        hour, _, endpoint, stream = part.by
        return not stream and endpoint in BATCHABLE and hour.astimezone(zone).hour in NIGHT

    return [
        ModelUse(
            model,
            sum(part.requests for part in each),
            _usage(each),
            Decimal(sum(part.price_nano_eur for part in each)) / _NANO,
            Decimal(sum(part.price_nano_eur for part in each if is_idle(part))) / _NANO,
        )
        for model, each in sorted(by_model.items())
    ]


def _usage(parts: Sequence[Part]) -> Usage:
    return Usage(
        input_tokens=sum(part.input_tokens for part in parts),
        cached_input_tokens=sum(part.cached_input_tokens for part in parts),
        cache_write_tokens=sum(part.cache_write_tokens for part in parts),
        output_tokens=sum(part.output_tokens for part in parts),
        reasoning_tokens=sum(part.reasoning_tokens for part in parts),
    )


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


async def _whole_months(
    connection: Connection, organization: Organization, at: datetime, archive: ArchivedUsage
) -> list[tuple[datetime, list[Part]]]:
    """The two before this one, the older first, by model, each with its start."""
    end = month_of(at, organization.time_zone).start
    found = []
    for _ in range(2):
        month = month_of(end - timedelta(microseconds=1), organization.time_zone)
        wanted = Filter(start=month.start, end=month.end, organization_id=organization.id)
        found.append(
            (
                month.start,
                await breakdown(connection, wanted, ("model",), limit=_MOST_GROUPS, archive=archive),
            )
        )
        end = month.start
    return found[::-1]


def _offer(plan: Plan) -> Offer:
    return Offer(plan.id, plan.name, plan.currency, plan.monthly_price, plan.monthly_quota, plan.models)


async def _idle_keys(
    connection: Connection, organization: Organization, at: datetime, archive: ArchivedUsage
) -> list[str]:
    """Names of keys that could be used and were not in all of IDLE."""
    wanted = Filter(start=_hour(at - IDLE), end=at, organization_id=organization.id)
    used = [
        part.by[0]
        for part in await breakdown(connection, wanted, ("key_id",), limit=_MOST_GROUPS, archive=archive)
    ]
    rows = await connection.fetch(
        "select name from api_key where organization_id = $1 and revoked_at is null and created_at < $2"
        " and (expires_at is null or expires_at > $3) and id <> all($4::text[]) order by name",
        *(organization.id, at - IDLE, at, [each for each in used if each is not None]),
    )
    return [row["name"] for row in rows]
