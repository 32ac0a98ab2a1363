"""What ends soon by itself: API keys, and trials of plans."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from ledger.database import Connection
from ledger.records import Instant, Record

MOST = 10_000


class EndingKey(Record):
    id: str
    organization_id: str
    name: str
    prefix: str
    expires_at: Instant


class EndingTrial(Record):
    """`id` is the subscription's."""

    id: str
    organization_id: str
    plan: str
    ends_at: Instant
    monthly_price: Decimal
    currency: Literal["EUR", "USD"]


async def keys(connection: Connection, after: datetime, until: datetime) -> list[EndingKey]:
    """Those in use that expire then, the soonest first."""
    rows = await connection.fetch(
        "select api_key.* from api_key join organization on organization.id = organization_id and active"
        " where expires_at > $1 and expires_at <= $2 and revoked_at is null order by expires_at, api_key.id limit $3",
        *(after, until, MOST),
    )
    return [EndingKey.of(row) for row in rows]


async def trials(connection: Connection, after: datetime, until: datetime) -> list[EndingTrial]:
    """Those whose subscription goes on afterwards, the soonest first."""
    rows = await connection.fetch(
        "select subscription.id, organization_id, plan.name as plan, trial_ends_at as ends_at, monthly_price, currency"
        " from subscription join plan on plan.id = plan_id"
        " join organization on organization.id = organization_id and organization.active"
        " where trial_ends_at > $1 and trial_ends_at <= $2"
        " and starts_at <= $1 and (ends_at is null or ends_at > trial_ends_at)"
        " order by trial_ends_at, subscription.id limit $3",
        *(after, until, MOST),
    )
    return [EndingTrial.of(row) for row in rows]
