"""What is wrong and wants somebody to look at it, until its cause is gone."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from ledger.database import Connection
from ledger.errors import ConflictError, NotFoundError
from ledger.records import Instant, Record

LONGEST_MESSAGE = 1000

Severity = Literal["info", "warning", "error", "critical"]


class Alert(Record):
    """`kind` says what is wrong (`job_failed`), `object` with what: an id or a name. `ended_at` is null while it is."""

    id: int
    kind: str
    object: str
    severity: Severity
    message: str
    detail: dict[str, Any]
    raised_at: Instant
    ended_at: Instant | None
    acknowledged_at: Instant | None
    acknowledged_by: str | None


async def raise_(
    connection: Connection,
    kind: str,
    object_id: str,
    severity: Severity,
    message: str,
    *,
    at: datetime,
    detail: Mapping[str, Any] | None = None,
) -> bool:
    """Opens an alert, or brings the open one of this kind and object up to date; says whether it is a new one.

    Neither `message` nor `detail` may hold a secret. Call it inside the transaction that found out.
    """
    return bool(
        await connection.fetchval(
            "insert into alert (kind, object, severity, message, detail, raised_at)"
            " values ($1, $2, $3, $4, $5, $6) on conflict (kind, object) where ended_at is null do update"
            " set severity = excluded.severity, message = excluded.message, detail = excluded.detail"
            " returning xmax = 0",
            *(kind, object_id, severity, message[:LONGEST_MESSAGE], dict(detail or {}), at),
        )
    )


async def resolve(connection: Connection, kind: str, object_id: str, *, at: datetime) -> bool:
    """Ends the open alert of this kind and object; says whether there was one."""
    ended = await connection.fetchval(
        "update alert set ended_at = greatest($3, raised_at)"
        " where kind = $1 and object = $2 and ended_at is null returning id",
        *(kind, object_id, at),
    )
    return ended is not None


async def listing(
    connection: Connection,
    *,
    ended: bool | None = None,
    kind: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Alert]:
    """The newest first, those with an id below `before`; `ended` None gives open and ended ones."""
    rows = await connection.fetch(
        "select * from alert where ($1::boolean is null or (ended_at is not null) = $1)"
        " and ($2::text is null or kind = $2) and ($3::bigint is null or id < $3) order by id desc limit $4",
        *(ended, kind, before, limit),
    )
    return [Alert.of(row) for row in rows]


async def acknowledge(connection: Connection, number: int, actor: str, *, at: datetime) -> Alert:
    """Somebody has seen it; whoever was first stays named. Raises NotFoundError, and ConflictError if it has ended."""
    row = await connection.fetchrow("select * from alert where id = $1 for update", number)
    if row is None:
        raise NotFoundError("alert", str(number))
    if row["ended_at"] is not None:
        raise ConflictError(f"alert {number} has ended already")
    changed = await connection.fetchrow(
        "update alert set acknowledged_at = coalesce(acknowledged_at, $2),"
        " acknowledged_by = coalesce(acknowledged_by, $3) where id = $1 returning *",
        *(number, at, actor),
    )
    return Alert.of(changed)
