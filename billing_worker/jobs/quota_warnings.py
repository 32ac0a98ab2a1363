"""People are told when their organization's month is used up to 80, 90, 95 and 100 %."""

from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal

from billing_worker.job import Context, Report
from billing_worker.notices.thresholds import QUOTA, Level
from ledger import alerts, notifications, organizations, subscriptions, token_packs
from ledger.database import Connection, Pool, transaction
from ledger.limits import UNLIMITED
from ledger.notice_kinds import QuotaReached
from ledger.organizations import Organization
from ledger.pages import MAX_ROWS, Position, Slice
from ledger.period_use import PeriodUse, period_use
from ledger.periods import month_of
from ledger.plans import Plan
from ledger.records import decimal_text, rfc3339
from ledger.token_packs import TokenPack, raised

ALERT = "quota_exceeded"


async def quota_warnings(context: Context, at: datetime) -> Report:
    """Each threshold is told of once a month and amount that is allowed: a limit that is raised warns anew.

    Who has passed several since the last run is told of the highest.
    """
    told = seen = 0
    async for organization in active_organizations(context.pool):
        async with transaction(context.pool) as connection:
            told += await _look_at(connection, organization, at)
        seen += 1
    return {"organizations": seen, "told": told}


async def active_organizations(pool: Pool) -> AsyncIterator[Organization]:
    """The oldest first; no connection is held meanwhile."""
    part: Slice | None = Slice()
    while part is not None:
        async with transaction(pool) as connection:
            found = await organizations.listing(connection, part)
        for each in found:
            if each.active:
                yield each
        full = len(found) == MAX_ROWS
        part = Slice(after=Position(found[-1].created_at, found[-1].id)) if full else None


async def _look_at(connection: Connection, organization: Organization, at: datetime) -> int:
    plan = await subscriptions.plan_of(connection, organization.id, at)
    if plan is None:
        return 0
    packs = await token_packs.not_over(connection, organization.id, at)
    period = month_of(at, organization.time_zone)
    used = await period_use(connection, organization.id, period, plan.currency)
    told = 0
    exceeded = False
    for limit, level in _levels(plan, packs, used, at).items():
        percent = level.reached(QUOTA)
        if percent is None:
            continue
        refused = limit != "monthly_quota"
        exceeded = exceeded or (refused and percent == 100)
        queued = await notifications.queue(
            connection,
            kind="quota_reached",
            organization_id=organization.id,
            key=f"{limit}/{rfc3339(period.start)}/{decimal_text(level.allowed)}/{percent}",
            values=QuotaReached.model_validate(
                {
                    "limit": limit,
                    "percent": percent,
                    "used": level.used,
                    "allowed": level.allowed,
                    "currency": plan.currency if limit == "spend_per_month" else None,
                    "plan": plan.name,
                    "refused": refused,
                    "resets_at": period.end,
                }
            ),
        )
        told += queued is not None
    if exceeded:
        message = f"{organization.name} has used up its month"
        await alerts.raise_(connection, ALERT, organization.id, "info", message, at=at)
    else:
        await alerts.resolve(connection, ALERT, organization.id, at=at)
    return told


def _levels(plan: Plan, packs: list[TokenPack], used: PeriodUse, at: datetime) -> dict[str, Level]:
    """By the name of the limit; what the price includes is one where going beyond is charged."""
    limits = raised(plan.effective_limits, packs, at)
    bought = sum(pack.tokens for pack in packs if pack.valid(at))
    charged_beyond = plan.overage == "bill" and plan.monthly_quota != UNLIMITED
    included = plan.monthly_quota + bought if charged_beyond else UNLIMITED
    tokens, requests = Decimal(used.tokens), Decimal(used.requests)
    return {
        "monthly_quota": Level(tokens, Decimal(included)),
        "tokens_per_month": Level(tokens, Decimal(limits.tokens_per_month)),
        "requests_per_month": Level(requests, Decimal(limits.requests_per_month)),
        "spend_per_month": Level(Decimal(used.price_nano).scaleb(-9), limits.spend_per_month),
    }
