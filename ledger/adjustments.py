"""Adjustments: what somebody decided to charge an organization, or to give back, with the reason on the invoice."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer

from ledger import audit, organizations
from ledger.database import Connection
from ledger.ids import new_id
from ledger.pages import Slice
from ledger.periods import Period
from ledger.records import Instant, Name, Record, decimal_text, exact

Amount = Annotated[
    Decimal,
    BeforeValidator(exact),
    Field(ge=-(10**9), le=10**9, decimal_places=2),
    PlainSerializer(decimal_text, return_type=str),
]


class Adjustment(Record):
    """`amount`, below zero for a credit, goes on the invoice of the time that `at` lies in."""

    id: str
    organization_id: str
    at: Instant
    amount: Amount
    currency: Literal["EUR", "USD"]
    reason: Name
    created_at: Instant


async def create(
    connection: Connection,
    actor: str,
    organization_id: str,
    *,
    amount: Decimal,
    currency: Literal["EUR", "USD"],
    reason: str,
    at: datetime,
) -> Adjustment:
    """Raises NotFoundError."""
    await organizations.lock(connection, organization_id)
    row = await connection.fetchrow(
        "insert into adjustment (id, organization_id, at, amount, currency, reason)"
        " values ($1, $2, $3, $4, $5, $6) returning *",
        *(new_id("adj"), organization_id, at, amount, currency, reason),
    )
    made = Adjustment.of(row)
    await audit.write(connection, actor, "adjustment.create", made.id, made.model_dump(mode="json"))
    return made


async def within(connection: Connection, organization_id: str, span: Period) -> list[Adjustment]:
    """Those of `span`, in order."""
    rows = await connection.fetch(
        "select * from adjustment where organization_id = $1 and at >= $2 and at < $3 order by at, id",
        *(organization_id, span.start, span.end),
    )
    return [Adjustment.of(row) for row in rows]


async def listing(connection: Connection, organization_id: str, part: Slice) -> list[Adjustment]:
    """The oldest first."""
    rows = await connection.fetch(
        "select * from adjustment where organization_id = $4"
        " and ($1::timestamptz is null or (created_at, id) > ($1, $2::text)) order by created_at, id"
        " limit $3",
        *(*part.arguments, organization_id),
    )
    return [Adjustment.of(row) for row in rows]
