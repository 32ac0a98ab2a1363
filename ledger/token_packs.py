"""Token packs: tokens bought on top of a plan, which raise the limit of the period that they are valid in."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from ledger import audit, organizations, subscriptions
from ledger.database import Connection
from ledger.errors import ConflictError
from ledger.ids import new_id
from ledger.limits import UNLIMITED, Limits
from ledger.pages import Slice
from ledger.periods import Period, month_of
from ledger.records import Instant, Price, Record


class TokenPack(Record):
    """Valid from `starts_at` on and before `ends_at`."""

    id: str
    organization_id: str
    tokens: int
    price: Price
    currency: Literal["EUR", "USD"]
    note: str | None
    starts_at: Instant
    ends_at: Instant
    created_at: Instant

    def valid(self, at: datetime) -> bool:
        return self.starts_at <= at < self.ends_at


async def create(
    connection: Connection,
    actor: str,
    organization_id: str,
    *,
    tokens: int,
    now: datetime,
    price: Decimal = Decimal(0),
    note: str | None = None,
) -> TokenPack:
    """For the organization's present period, in its plan's currency. Raises NotFoundError, ConflictError without a
    plan."""
    await organizations.lock(connection, organization_id)
    organization = await organizations.get(connection, organization_id)
    plan = await subscriptions.plan_of(connection, organization_id, now)
    if plan is None:
        raise ConflictError("the organization has no plan that a pack of tokens could add to")
    row = await connection.fetchrow(
        "insert into token_pack (id, organization_id, tokens, price, currency, note, starts_at, ends_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8) returning *",
        *(new_id("pack"), organization_id, tokens, price, plan.currency, note),
        *(now, month_of(now, organization.time_zone).end),
    )
    made = TokenPack.of(row)
    detail = made.model_dump(
        mode="json", include={"organization_id", "tokens", "price", "currency", "ends_at"}
    )
    await audit.write(connection, actor, "token_pack.create", made.id, detail)
    return made


async def not_over(connection: Connection, organization_id: str, at: datetime) -> list[TokenPack]:
    """Those that are valid at `at`, or will be."""
    rows = await connection.fetch(
        "select * from token_pack where organization_id = $1 and ends_at > $2 order by starts_at, id",
        organization_id,
        at,
    )
    return [TokenPack.of(row) for row in rows]


async def bought_within(connection: Connection, organization_id: str, period: Period) -> list[TokenPack]:
    """Those that are valid from a time of it on, in order: each is in one period, though it may last into another."""
    rows = await connection.fetch(
        "select * from token_pack where organization_id = $1 and starts_at >= $2 and starts_at < $3"
        " order by starts_at, id",
        *(organization_id, period.start, period.end),
    )
    return [TokenPack.of(row) for row in rows]


async def listing(connection: Connection, organization_id: str, part: Slice) -> list[TokenPack]:
    """The oldest first."""
    rows = await connection.fetch(
        "select * from token_pack where organization_id = $4"
        " and ($1::timestamptz is null or (created_at, id) > ($1, $2::text)) order by created_at, id"
        " limit $3",
        *(*part.arguments, organization_id),
    )
    return [TokenPack.of(row) for row in rows]


def raised(limits: Limits, packs: list[TokenPack], at: datetime) -> Limits:
    """The limits of a period in which these packs are valid."""
    bought = sum(pack.tokens for pack in packs if pack.valid(at))
    if not bought or limits.tokens_per_month == UNLIMITED:
        return limits
    return limits.model_copy(update={"tokens_per_month": limits.tokens_per_month + bought})
