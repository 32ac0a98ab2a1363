"""Every organization's usage is looked at once a day: what is unusual, what the month will come to, what would save."""

from datetime import datetime, timedelta
from decimal import Decimal

from billing_worker.insights.finding import UnusualDay, recommendations, unusual_days
from billing_worker.insights.month import month_ahead
from billing_worker.insights.recommendations import Prices
from billing_worker.job import Context, Report
from billing_worker.jobs.quota_warnings import active_organizations
from ledger import alerts, notifications
from ledger import insights as kept
from ledger.archive.usage import ArchivedUsage
from ledger.database import Connection, transaction
from ledger.insights import RECOMMENDATIONS, Kind
from ledger.notice_kinds import UsageAnomaly
from ledger.organizations import Organization
from ledger.periods import day_of
from ledger.prices import PriceList
from ledger.usage_filter import Filter

ALERT = "usage_anomaly"
LOOK_BACK = 7
"""Days that are judged again, for runs that were missed."""
_CENT = Decimal("0.01")
_FORECAST: tuple[Kind] = ("forecast",)


async def insights(context: Context, at: datetime) -> Report:
    unusual = advice = seen = 0
    archive = ArchivedUsage.of(context.settings.archive)
    async with transaction(context.pool) as connection:
        prices = await _prices(connection, at)
    async for organization in active_organizations(context.pool):
        async with transaction(context.pool) as connection:
            unusual += await _unusual(connection, organization, at, archive)
            await _month(connection, organization, at, archive)
            advice += await _advise(connection, organization, at, prices, archive)
        seen += 1
    return {"organizations": seen, "unusual_days": unusual, "recommendations": advice}


async def _prices(connection: Connection, at: datetime) -> Prices:
    rows = await connection.fetch(
        "select * from model_price where valid_until is null or valid_until > $1", at
    )
    return Prices(PriceList.from_rows(rows), at)


async def _unusual(
    connection: Connection, organization: Organization, at: datetime, archive: ArchivedUsage
) -> int:
    """People are told of yesterday; what is older and was missed is kept and no more."""
    found = await unusual_days(connection, organization, at, archive, last=LOOK_BACK)
    yesterday = day_of(at, organization.time_zone) - timedelta(days=1)
    for each in found:
        currency = "EUR" if each.measure == "cost" else None
        facts = {
            "day": each.day.isoformat(),
            "measure": each.measure,
            "seen": _text(each.anomaly.seen),
            "expected": _text(each.anomaly.expected),
            "score": round(each.anomaly.score, 1),
        }
        key = f"{each.measure}/{each.day}"
        await kept.keep(connection, organization.id, "anomaly", key, facts, at=at, currency=currency)
    recent = [each for each in found if each.day == yesterday]
    for each in recent:
        await _tell(connection, organization, each)
    if recent:
        message = f"{organization.name} used far more or less on {yesterday} than was to be expected"
        await alerts.raise_(connection, ALERT, organization.id, "info", message, at=at)
    else:
        await alerts.resolve(connection, ALERT, organization.id, at=at)
    return len(recent)


async def _tell(connection: Connection, organization: Organization, unusual: UnusualDay) -> None:
    in_money = unusual.measure == "cost"
    await notifications.queue(
        connection,
        kind="usage_anomaly",
        organization_id=organization.id,
        key=f"{unusual.measure}/{unusual.day}",
        values=UsageAnomaly.model_validate(
            {
                "day": unusual.day,
                "measure": unusual.measure,
                "seen": _text(unusual.anomaly.seen),
                "expected": _text(unusual.anomaly.expected),
                "currency": "EUR" if in_money else None,
            }
        ),
    )


async def _month(
    connection: Connection, organization: Organization, at: datetime, archive: ArchivedUsage
) -> None:
    wanted = Filter(organization_id=organization.id)
    ahead = await month_ahead(connection, wanted, at, organization.time_zone, archive)
    key = f"{day_of(at, organization.time_zone):%Y-%m}"
    if ahead is not None:
        facts = {
            "month": key,
            "so_far": _whole(ahead.so_far),
            "total": _whole(ahead.total),
            "low": _whole(ahead.low),
            "high": _whole(ahead.high),
            "method": ahead.method,
        }
        await kept.keep(connection, organization.id, "forecast", key, facts, at=at, currency="EUR")
    await kept.end_others(connection, organization.id, _FORECAST, [(_FORECAST[0], key)], at=at)


def _whole(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.quantize(_CENT)}"


async def _advise(
    connection: Connection, organization: Organization, at: datetime, prices: Prices, archive: ArchivedUsage
) -> int:
    found = await recommendations(connection, organization, at, prices, archive)
    for each in found:
        await kept.keep(
            connection,
            organization.id,
            each.kind,
            each.key,
            each.facts,
            at=at,
            saving=each.saving,
            currency=each.currency,
        )
    held = [(each.kind, each.key) for each in found]
    await kept.end_others(connection, organization.id, RECOMMENDATIONS, held, at=at)
    return len(found)


def _text(value: float) -> str:
    return f"{Decimal(value).quantize(_CENT)}"
