"""Subscriptions: which plan an organization is on, one at a time."""

from datetime import datetime, timedelta
from typing import Any, Literal, Self

import asyncpg

from ledger import audit, organizations
from ledger.database import Connection
from ledger.errors import BadReferenceError, ConflictError, NotFoundError
from ledger.ids import new_id
from ledger.periods import whole_days_after
from ledger.plans import Plan
from ledger.plans import get as get_plan
from ledger.records import Instant, Record, rfc3339

Status = Literal["scheduled", "active", "ended"]
BillingInterval = Literal["month", "year"]
PeriodAnchor = Literal["calendar", "anniversary"]

_TICK = timedelta(microseconds=1)


class Subscription(Record):
    """Half-open: `start` belongs to it, `end` does not; null has no end yet.

    `billing_interval`: whether the plan's monthly or yearly price is paid. `period_anchor`: whether invoices cover
    calendar months or months from the day of the first subscription in a row that is so. Nothing is charged until
    `trial_ends_at`; null is no trial.
    """

    id: str
    organization_id: str
    plan_id: str
    start: Instant
    end: Instant | None
    billing_interval: BillingInterval
    period_anchor: PeriodAnchor
    trial_ends_at: Instant | None
    created_at: Instant

    @classmethod
    def of(cls, row: asyncpg.Record | None) -> Self:
        if row is None:
            raise LookupError("no row makes no subscription")
        return cls(
            id=row["id"],
            organization_id=row["organization_id"],
            plan_id=row["plan_id"],
            start=row["starts_at"],
            end=row["ends_at"],
            billing_interval=row["billing_interval"],
            period_anchor=row["period_anchor"],
            trial_ends_at=row["trial_ends_at"],
            created_at=row["created_at"],
        )

    def status_at(self, at: datetime) -> Status:
        if at < self.start:
            return "scheduled"
        return "active" if self.end is None or at < self.end else "ended"


async def current(connection: Connection, organization_id: str, at: datetime) -> Subscription | None:
    row = await connection.fetchrow(
        "select * from subscription where organization_id = $1 and starts_at <= $2"
        " and (ends_at is null or ends_at > $2)",
        *(organization_id, at),
    )
    return Subscription.maybe(row)


async def turns(connection: Connection, organization_id: str, at: datetime) -> list[datetime]:
    """When subscriptions begin or end after `at`."""
    rows = await connection.fetch(
        "select turn from subscription, unnest(array[starts_at, ends_at]) as turn"
        " where organization_id = $1 and turn > $2",
        *(organization_id, at),
    )
    return [row["turn"] for row in rows]


async def plan_of(connection: Connection, organization_id: str, at: datetime) -> Plan | None:
    """The plan that the organization is on at `at`."""
    subscription = await current(connection, organization_id, at)
    return None if subscription is None else await get_plan(connection, subscription.plan_id)


async def history(connection: Connection, organization_id: str) -> list[Subscription]:
    """All of them, the oldest first."""
    rows = await connection.fetch(
        "select * from subscription where organization_id = $1 order by starts_at", organization_id
    )
    return [Subscription.of(row) for row in rows]


async def replace(
    connection: Connection,
    actor: str,
    organization_id: str,
    plan_id: str,
    *,
    now: datetime,
    start: datetime | None = None,
    billing_interval: BillingInterval = "month",
    period_anchor: PeriodAnchor = "calendar",
) -> Subscription:
    """Puts the organization on the plan from `start` (None: now) on, without end. Call it in a transaction.

    What runs then ends there, what was to begin later is dropped; being on that plan already, on the same conditions,
    is no change. The first plan with a trial begins with it; a change of plan within takes along what is left of it.

    Raises NotFoundError, BadReferenceError for a plan that is unknown or no longer offered, and ConflictError
    where another subscription has begun since `start`, because what has been is not rewritten, and for anniversaries
    with a plan whose quota is a limit, because limits count in calendar months.
    """
    number = await organizations.lock(connection, organization_id)
    plan = await _offered(connection, plan_id)
    if period_anchor == "anniversary" and plan.quota_is_limit:
        raise ConflictError(
            "the plan's quota is a limit, and those count in calendar months; anniversaries need a plan that bills"
            " overage or has no quota",
            "period_anchor",
        )
    begun = [s for s in await history(connection, organization_id) if s.start <= now]
    latest = begun[-1] if begun else None
    if start is None:
        # Two clocks may disagree by a little on what is now.
        start = now if latest is None else max(now, latest.start + _TICK)
    if latest is not None and start < latest.start:
        raise ConflictError(f"a subscription began after that, on {rfc3339(latest.start)}", "start")

    await connection.execute(
        "delete from subscription where organization_id = $1 and starts_at >= $2 and starts_at > $3",
        *(organization_id, start, latest.start if latest else now - _TICK),
    )
    present = await current(connection, organization_id, start)
    same = (plan_id, billing_interval, period_anchor)
    if present is not None and (present.plan_id, present.billing_interval, present.period_anchor) == same:
        row = await connection.fetchrow(
            "update subscription set ends_at = null where id = $1 returning *", present.id
        )
    elif present is not None and present.start == start:
        raise ConflictError("another subscription began at that very time", "start")
    else:
        if present is not None:
            await connection.execute("update subscription set ends_at = $2 where id = $1", present.id, start)
        row = await connection.fetchrow(
            "insert into subscription (id, organization_id, organization_no, plan_id, starts_at, billing_interval,"
            " period_anchor, trial_ends_at) values ($1, $2, $3, $4, $5, $6, $7, $8) returning *",
            *(new_id("sub"), organization_id, number, plan_id, start, billing_interval, period_anchor),
            await _trial(connection, organization_id, plan, begun, start),
        )
    made = Subscription.of(row)
    detail: dict[str, Any] = {"plan_id": plan_id, "start": rfc3339(made.start), "subscription_id": made.id}
    detail |= {"billing_interval": billing_interval, "period_anchor": period_anchor}
    await audit.write(connection, actor, "subscription.replace", organization_id, detail)
    return made


async def _offered(connection: Connection, plan_id: str) -> Plan:
    try:
        plan = await get_plan(connection, plan_id)
    except NotFoundError:
        pass
    else:
        if plan.active:
            return plan
    raise BadReferenceError(f"there is no plan '{plan_id}' on offer", "plan_id")


async def _trial(
    connection: Connection, organization_id: str, plan: Plan, begun: list[Subscription], start: datetime
) -> datetime | None:
    """When the trial of a subscription from `start` on ends; None for none, or one that was used up before."""
    ends = [each.trial_ends_at for each in begun if each.trial_ends_at is not None]
    if ends:
        return ends[-1] if ends[-1] > start else None
    if not plan.trial_days:
        return None
    zone = (await organizations.get(connection, organization_id)).time_zone
    return whole_days_after(start, plan.trial_days, zone)
