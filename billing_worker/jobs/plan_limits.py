"""People are told when members, projects, traffic or storage come to 80 and 95 % of what their plan allows."""

from datetime import datetime
from decimal import Decimal

from billing_worker.job import Context, Report
from billing_worker.jobs.quota_warnings import active_organizations
from billing_worker.notices.thresholds import PLAN_LIMIT, Level
from ledger import alerts, notifications, storage, subscriptions
from ledger.database import Connection, transaction
from ledger.notice_kinds import PlanLimitReached
from ledger.organizations import Organization
from ledger.period_use import period_use
from ledger.periods import Period, month_of
from ledger.plans import Plan
from ledger.records import decimal_text, rfc3339

ALERT = "plan_limit"


async def plan_limits(context: Context, at: datetime) -> Report:
    """Each threshold is told of once a month and amount that is allowed."""
    told = seen = 0
    async for organization in active_organizations(context.pool):
        async with transaction(context.pool) as connection:
            told += await _look_at(connection, organization, at)
        seen += 1
    return {"organizations": seen, "told": told}


async def _look_at(connection: Connection, organization: Organization, at: datetime) -> int:
    plan = await subscriptions.plan_of(connection, organization.id, at)
    if plan is None:
        return 0
    period = month_of(at, organization.time_zone)
    told = 0
    for limit, level in (await _levels(connection, organization, plan, period, at)).items():
        percent = level.reached(PLAN_LIMIT)
        name = f"{organization.id}/{limit}"
        if percent == max(PLAN_LIMIT):
            message = f"{organization.name} has {level.used} of {level.allowed} {limit}"
            await alerts.raise_(connection, ALERT, name, "info", message, at=at)
        else:
            await alerts.resolve(connection, ALERT, name, at=at)
        if percent is None:
            continue
        queued = await notifications.queue(
            connection,
            kind="plan_limit_reached",
            organization_id=organization.id,
            key=f"{limit}/{rfc3339(period.start)}/{decimal_text(level.allowed)}/{percent}",
            values=PlanLimitReached.model_validate(
                {
                    "limit": limit,
                    "percent": percent,
                    "used": level.used,
                    "allowed": level.allowed,
                    "plan": plan.name,
                }
            ),
        )
        told += queued is not None
    return told


async def _levels(
    connection: Connection, organization: Organization, plan: Plan, period: Period, at: datetime
) -> dict[str, Level]:
    people = await connection.fetchval(
        "select count(*) from member where organization_id = $1 and active", organization.id
    )
    projects = await connection.fetchval(
        "select count(*) from project where organization_id = $1 and active", organization.id
    )
    used = await period_use(connection, organization.id, period, plan.currency)
    kept = await storage.kept(connection, organization.id, at)
    limits = plan.limits
    return {
        "members": Level(Decimal(people), Decimal(limits.members)),
        "projects": Level(Decimal(projects), Decimal(limits.projects)),
        "traffic_gb_per_month": Level(
            Decimal(used.traffic_bytes).scaleb(-9), Decimal(limits.traffic_gb_per_month)
        ),
        "storage_mb": Level(Decimal(kept).scaleb(-6), Decimal(limits.storage_mb)),
    }
