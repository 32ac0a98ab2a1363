"""Subscriptions: which plan an organization is on, one at a time."""

from datetime import datetime, timedelta
from typing import Any, Literal, Self

import asyncpg

from ledger import audit, organizations
from ledger.database import Connection
from ledger.errors import BadReferenceError, ConflictError
from ledger.ids import new_id
from ledger.plans import Plan
from ledger.plans import get as get_plan
from ledger.records import Instant, Record, rfc3339

Status = Literal["scheduled", "active", "ended"]

_TICK = timedelta(microseconds=1)


class Subscription(Record):
    """Half-open: `start` belongs to it, `end` does not; null has no end yet."""

    id: str
    organization_id: str
    plan_id: str
    start: Instant
    end: Instant | None
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
) -> Subscription:
    """Puts the organization on the plan from `start` (None: now) on, without end. Call it in a transaction.

    What runs then ends there, what was to begin later is dropped; being on that plan already is no change.

    Raises NotFoundError, BadReferenceError for a plan that is unknown or no longer offered, and ConflictError
    where another subscription has begun since `start`, because what has been is not rewritten.
    """
    number = await organizations.lock(connection, organization_id)
    offered = await connection.fetchval("select active from plan where id = $1", plan_id)
    if not offered:
        raise BadReferenceError(f"there is no plan '{plan_id}' on offer", "plan_id")
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
    if present is not None and present.plan_id == plan_id:
        row = await connection.fetchrow(
            "update subscription set ends_at = null where id = $1 returning *", present.id
        )
    elif present is not None and present.start == start:
        raise ConflictError("another subscription began at that very time", "start")
    else:
        if present is not None:
            await connection.execute("update subscription set ends_at = $2 where id = $1", present.id, start)
        row = await connection.fetchrow(
            "insert into subscription (id, organization_id, organization_no, plan_id, starts_at)"
            " values ($1, $2, $3, $4, $5) returning *",
            *(new_id("sub"), organization_id, number, plan_id, start),
        )
    made = Subscription.of(row)
    detail: dict[str, Any] = {"plan_id": plan_id, "start": rfc3339(made.start), "subscription_id": made.id}
    await audit.write(connection, actor, "subscription.replace", organization_id, detail)
    return made
