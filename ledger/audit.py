"""The audit: who changed what, written in the transaction of the change itself."""

from typing import Any

from ledger.database import Connection
from ledger.records import Instant, Record


class AuditEntry(Record):
    """`object` is the id of what changed; `detail` holds what was changed, never a secret."""

    id: int
    at: Instant
    actor: str
    action: str
    object: str
    detail: dict[str, Any]


async def write(
    connection: Connection, actor: str, action: str, object_id: str, detail: dict[str, Any]
) -> None:
    """Adds an entry. Call it inside the transaction that makes the change."""
    await connection.execute(
        "insert into audit (actor, action, object, detail) values ($1, $2, $3, $4)",
        *(actor, action, object_id, detail),
    )


async def entries(
    connection: Connection, *, object_id: str | None = None, before: int | None = None, limit: int = 100
) -> list[AuditEntry]:
    """The newest first, those with an id below `before`."""
    rows = await connection.fetch(
        "select * from audit where ($1::text is null or object = $1) and ($2::bigint is null or id < $2)"
        " order by id desc limit $3",
        *(object_id, before, limit),
    )
    return [AuditEntry.of(row) for row in rows]
