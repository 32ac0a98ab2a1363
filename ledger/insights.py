"""What was found out about organizations' usage."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import PlainSerializer

from ledger.database import Connection
from ledger.ids import new_id
from ledger.pages import Slice
from ledger.records import Instant, Record, decimal_text

Kind = Literal[
    "anomaly",
    "forecast",
    "cached_input",
    "cheaper_model",
    "batch",
    "unused_plan",
    "smaller_plan",
    "idle_keys",
]
RECOMMENDATIONS: tuple[Kind, ...] = (
    *("cached_input", "cheaper_model", "batch"),
    *("unused_plan", "smaller_plan", "idle_keys"),
)

Saving = Annotated[Decimal, PlainSerializer(decimal_text, return_type=str)]


class Insight(Record):
    """`key` says what it is about. `saving` is per month, in `currency`; null where money is not the point.

    `seen_at` is when it was found to hold last, `ended_at` when no longer.
    """

    id: str
    organization_id: str
    kind: Kind
    key: str
    facts: dict[str, Any]
    saving: Saving | None
    currency: Literal["EUR", "USD"] | None
    found_at: Instant
    seen_at: Instant
    ended_at: Instant | None


async def keep(
    connection: Connection,
    organization_id: str,
    kind: Kind,
    key: str,
    facts: Mapping[str, Any],
    *,
    at: datetime,
    saving: Decimal | None = None,
    currency: str | None = None,
) -> bool:
    """Enters it, or brings it up to date; whether it is new."""
    return bool(
        await connection.fetchval(
            "insert into insight (id, organization_id, kind, key, facts, saving, currency, found_at, seen_at)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $8) on conflict (organization_id, kind, key) do update"
            " set facts = excluded.facts, saving = excluded.saving, currency = excluded.currency,"
            " seen_at = greatest(insight.seen_at, excluded.seen_at), ended_at = null returning xmax = 0",
            *(new_id("ins"), organization_id, kind, key, dict(facts), saving, currency, at),
        )
    )


async def end_others(
    connection: Connection,
    organization_id: str,
    kinds: Sequence[Kind],
    held: Collection[tuple[Kind, str]],
    *,
    at: datetime,
) -> None:
    """Of these kinds, all but those that still hold have ended."""
    await connection.execute(
        "update insight set ended_at = greatest($3, seen_at) where organization_id = $1 and kind = any($2::text[])"
        " and ended_at is null and kind || '/' || key <> all($4::text[])",
        *(organization_id, list(kinds), at, [f"{kind}/{key}" for kind, key in held]),
    )


async def listing(
    connection: Connection,
    part: Slice,
    *,
    organization_id: str | None = None,
    kind: Kind | None = None,
    ended: bool | None = None,
) -> list[Insight]:
    """The newest first; `ended` None gives those that hold and those that have ended."""
    rows = await connection.fetch(
        "select * from insight where ($1::timestamptz is null or (found_at, id) < ($1, $2::text))"
        " and ($4::text is null or organization_id = $4) and ($5::text is null or kind = $5)"
        " and ($6::boolean is null or (ended_at is not null) = $6) order by found_at desc, id desc limit $3",
        *(*part.arguments, organization_id, kind, ended),
    )
    return [Insight.of(row) for row in rows]
