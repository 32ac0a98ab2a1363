"""Administrators are told while a month does not keep what a plan promises of the service."""

from datetime import datetime

from billing_worker.job import Context, Report
from billing_worker.jobs.quota_warnings import active_organizations
from billing_worker.rating.sla import broken
from ledger import alerts, service_levels, subscriptions
from ledger.archive.usage import ArchivedUsage
from ledger.database import Connection, transaction
from ledger.organizations import Organization
from ledger.periods import Period, month_of

ALERT = "sla_broken"
_UNITS = {"uptime": " %", "error_rate": " %", "latency": " ms"}


async def sla(context: Context, at: datetime) -> Report:
    """Of each organization, its calendar month up to now; what is credited is worked out with the invoice."""
    archive = ArchivedUsage.of(context.settings.archive)
    promised = missed = 0
    async for organization in active_organizations(context.pool):
        async with transaction(context.pool) as connection:
            kept = await _look_at(connection, organization, at, archive)
        promised, missed = promised + (kept is not None), missed + (kept is False)
    return {"promised": promised, "broken": missed}


async def _look_at(
    connection: Connection, organization: Organization, at: datetime, archive: ArchivedUsage
) -> bool | None:
    """Whether it is kept so far; None where nothing is promised."""
    plan = await subscriptions.plan_of(connection, organization.id, at)
    so_far = Period(month_of(at, organization.time_zone).start, at)
    if plan is None or plan.sla is None or so_far.start >= so_far.end:
        await alerts.resolve(connection, ALERT, organization.id, at=at)
        return None
    measured = await service_levels.measure(connection, organization.id, so_far, archive)
    found = broken(plan.sla, measured)
    if not found:
        await alerts.resolve(connection, ALERT, organization.id, at=at)
        return True
    told = ", ".join(
        f"{each.measure.replace('_', ' ')} {each.found}{_UNITS[each.measure]} where {each.promised} is promised"
        for each in found
    )
    await alerts.raise_(
        connection,
        ALERT,
        organization.id,
        "warning",
        f"{organization.name}, month so far: {told}",
        at=at,
        detail={each.measure: str(each.found) for each in found},
    )
    return False
