"""Records that could not be stored: kept with the reason until they are stored after all, or discarded."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

import asyncpg

from ledger.database import Connection
from ledger.errors import ConflictError, NotFoundError
from ledger.records import Instant, Record

_LONGEST_REASON = 1000
_COLUMNS = "id, stream, entry_id, octet_length(payload) as bytes, reason, kept_at, closed_at, closed_as, note"

ClosedAs = Literal["replayed", "discarded"]


class NewDeadLetter(NamedTuple):
    """`stream` and `entry_id` say where it lay; the same entry is kept once."""

    stream: str
    entry_id: str
    payload: bytes
    reason: str


class DeadLetter(Record):
    """`closed_at` is null while somebody has to look after it. `note` says why it was discarded."""

    id: int
    stream: str
    entry_id: str
    bytes: int
    reason: str
    kept_at: Instant
    closed_at: Instant | None
    closed_as: ClosedAs | None
    note: str | None


async def keep(connection: Connection, letters: Iterable[NewDeadLetter]) -> None:
    rows = [(stream, entry_id, payload, _kept(reason)) for stream, entry_id, payload, reason in letters]
    await connection.executemany(
        "insert into dead_letter (stream, entry_id, payload, reason) values ($1, $2, $3, $4)"
        " on conflict do nothing",
        rows,
    )


async def listing(
    connection: Connection, *, closed: bool, before: int | None, limit: int
) -> list[DeadLetter]:
    """The newest first, those with an id below `before`."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from dead_letter where (closed_at is not null) = $1"
        " and ($2::bigint is null or id < $2) order by id desc limit $3",
        *(closed, before, limit),
    )
    return [DeadLetter.of(row) for row in rows]


async def get(connection: Connection, number: int) -> tuple[DeadLetter, bytes]:
    """The letter and its payload. Raises NotFoundError."""
    return _of(
        await connection.fetchrow(f"select {_COLUMNS}, payload from dead_letter where id = $1", number),
        number,
    )


async def take(connection: Connection, number: int) -> tuple[DeadLetter, bytes]:
    """As `get`, for whoever closes it in this transaction. Raises NotFoundError, and ConflictError if it is closed."""
    row = await connection.fetchrow(
        f"select {_COLUMNS}, payload from dead_letter where id = $1 for update", number
    )
    letter, payload = _of(row, number)
    if letter.closed_as is not None:
        raise ConflictError(f"dead letter {number} was {letter.closed_as} already")
    return letter, payload


async def close(connection: Connection, number: int, closed_as: ClosedAs, note: str | None) -> DeadLetter:
    row = await connection.fetchrow(
        f"update dead_letter set closed_at = now(), closed_as = $2, note = $3 where id = $1 returning {_COLUMNS}",
        *(number, closed_as, note),
    )
    return DeadLetter.of(row)


async def still_refused(connection: Connection, number: int, reason: str) -> DeadLetter:
    """It was tried again, and this stood in the way."""
    row = await connection.fetchrow(
        f"update dead_letter set reason = $2 where id = $1 returning {_COLUMNS}", number, _kept(reason)
    )
    return DeadLetter.of(row)


async def payloads(connection: Connection, stream: str, timeout: float) -> list[bytes]:
    """Of those that lay in the stream and wait to be looked after."""
    rows = await connection.fetch(
        "select payload from dead_letter where stream = $1 and closed_at is null", stream, timeout=timeout
    )
    return [row["payload"] for row in rows]


async def count_open(connection: Connection) -> int:
    return int(await connection.fetchval("select count(*) from dead_letter where closed_at is null"))


def _of(row: asyncpg.Record | None, number: int) -> tuple[DeadLetter, bytes]:
    if row is None:
        raise NotFoundError("dead letter", str(number))
    return DeadLetter.of(row), row["payload"]


def _kept(reason: str) -> str:
    return reason[:_LONGEST_REASON].replace("\0", "\ufffd")
