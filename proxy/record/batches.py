"""Batches of usage records into Postgres: each request once, whatever is delivered again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import asyncpg

from ledger import dead_letters, deferred_calls, storage, upstream_objects
from ledger.database import Connection, Pool, reading
from ledger.dead_letters import NewDeadLetter
from ledger.deferred_calls import DeferredCall
from ledger.upstream_objects import UpstreamObject
from ledger.usage import TOKENS
from ledger.usage_partitions import ensure_month
from ledger.usage_record import UsageRecord
from proxy.deferred import work
from proxy.deferred.work import Work, is_work
from proxy.quota.clock import instant
from proxy.record import form
from proxy.record.stream import Entry, place_of

_COLUMNS: Final = {
    "request_id": "text",
    "occurred_at": "timestamptz",
    "organization_id": "text",
    "project_id": "text",
    "key_id": "text",
    "member_id": "text",
    "endpoint": "text",
    "model": "text",
    "upstream": "text",
    "stream": "boolean",
    "status": "smallint",
    "outcome": "text",
    "usage_source": "text",
    "cost_nano_usd": "bigint",
    "cost_nano_eur": "bigint",
    "price_nano": "bigint",
    "price_nano_eur": "bigint",
    "price_nano_tokens": "bigint",
    "currency": "text",
    "usd_per_eur": "numeric",
    "price_ref": "text",
    "request_bytes": "bigint",
    "response_bytes": "bigint",
    "first_byte_ms": "integer",
    "duration_ms": "integer",
    "search_term": "text",
}
_TYPES: Final = [*_COLUMNS.values(), *("bigint" for _ in TOKENS), "jsonb", "bigint"]
_INSERT: Final = (
    f"insert into usage ({', '.join((*_COLUMNS, *TOKENS, 'quantities', 'place'))}) "
    f"select * from unnest({', '.join(f'${i}::{kind}[]' for i, kind in enumerate(_TYPES, 1))}) "
    "on conflict do nothing"
)
_REFUSALS: Final = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    OverflowError,
)
"""What the database, or the way to it, says of a record that it will never take."""
_OLDEST: Final = datetime(2020, 1, 1, tzinfo=UTC)
_AHEAD: Final = timedelta(days=1)
_TRIES: Final = 5


class Stored(NamedTuple):
    """How many of a batch are rows now (a repeated one is), and how many are dead letters."""

    rows: int
    dead: int


class Batch(NamedTuple):
    """Entries of the stream, decoded: usage records, begun work, and what can be neither, with the reason."""

    entries: Sequence[Entry]
    readable: Sequence[tuple[UsageRecord, Entry]]
    begun: Sequence[Work]
    dead: Sequence[tuple[Entry, str]]


def decode(entries: Sequence[Entry], now: datetime) -> Batch:
    """Records in the order of their times, so that all drains enter them in one order."""
    readable: list[tuple[UsageRecord, Entry]] = []
    begun: list[Work] = []
    dead: list[tuple[Entry, str]] = []
    for entry in entries:
        try:
            if entry.payload is not None and is_work(entry.payload):
                begun.append(work.read(entry.payload))
            else:
                readable.append((_read(entry, now), entry))
        except form.UnreadableRecord as error:
            dead.append((entry, str(error)))
    readable.sort(key=lambda pair: (pair[0].occurred_at, pair[0].request_id))
    return Batch(entries, readable, begun, dead)


def joined(pieces: Sequence[Batch]) -> Batch:
    """One of several."""
    readable = [each for piece in pieces for each in piece.readable]
    readable.sort(key=lambda pair: (pair[0].occurred_at, pair[0].request_id))
    return Batch(
        [each for piece in pieces for each in piece.entries],
        readable,
        [each for piece in pieces for each in piece.begun],
        [each for piece in pieces for each in piece.dead],
    )


class Batches:
    """Stores entries of the stream. `timeout` in seconds bounds each statement."""

    def __init__(self, pool: Pool, timeout: float = 30.0) -> None:
        self._pool = pool
        self._timeout = timeout

    async def store(self, batch: Batch) -> Stored:
        """All of it in one transaction: rows, and dead letters for what can't be one.

        Raises DatabaseUnavailable, or asyncpg's errors, when Postgres can't take it now; nothing is stored then.
        """
        for attempt in range(_TRIES):
            try:
                return await self._store(batch)
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
                if attempt + 1 == _TRIES:
                    raise
        raise AssertionError("unreachable")

    async def restore(self, connection: Connection, entry: Entry, now: datetime) -> str | None:
        """Stores one that could not be stored before, in the caller's transaction; the reason if it still can't be.

        Raises what `store` does.
        """
        try:
            if entry.payload is not None and is_work(entry.payload):
                begun = work.read(entry.payload)
                await deferred_calls.store(connection, [_deferred(begun)])
                await upstream_objects.store(connection, _objects([_record(begun)]))
                return None
            record = _read(entry, now)
        except form.UnreadableRecord as error:
            return str(error)
        await ensure_month(connection, record.occurred_at)
        refused = await self._insert(connection, [(record, entry)])
        return refused[0][1] if refused else None

    async def _store(self, batch: Batch) -> Stored:
        readable = batch.readable
        async with reading(self._pool, acquire_seconds=self._timeout) as connection:
            for month in {(record.occurred_at.year, record.occurred_at.month) for record, _ in readable}:
                await ensure_month(connection, datetime(*month, 1, tzinfo=UTC))
            async with connection.transaction():
                await deferred_calls.store(connection, map(_deferred, batch.begun))
                await upstream_objects.store(connection, _objects([_record(each) for each in batch.begun]))
                refused = await self._insert(connection, readable)
                dead = [*batch.dead, *refused]
                await dead_letters.keep(
                    connection,
                    [
                        NewDeadLetter(entry.stream, entry.id, entry.payload or b"", reason)
                        for entry, reason in dead
                    ],
                )
        return Stored(len(readable) - len(refused), len(dead))

    async def _insert(
        self, connection: Connection, readable: Sequence[tuple[UsageRecord, Entry]]
    ) -> list[tuple[Entry, str]]:
        """Inserts all at once; where the database refuses one, each half by itself, down to the one."""
        if not readable:
            return []
        records = [record for record, _ in readable]
        try:
            async with connection.transaction():
                places = [place_of(entry.id) for _, entry in readable]
                await connection.execute(_INSERT, *_columns(records), places, timeout=self._timeout)
                await upstream_objects.store(connection, _objects(records))
                for record, place in zip(records, places, strict=True):
                    if record.stored or record.freed:
                        await _store_sizes(connection, record, place)
                await deferred_calls.settled(connection, [record.request_id for record in records])
        except _REFUSALS as error:
            if len(readable) == 1:
                return [(readable[0][1], f"{type(error).__name__}: {error}")]
        else:
            return []
        half = len(readable) // 2
        return [
            *await self._insert(connection, readable[:half]),
            *await self._insert(connection, readable[half:]),
        ]


def _read(entry: Entry, now: datetime) -> UsageRecord:
    if entry.payload is None:
        raise form.UnreadableRecord("the entry has no record")
    record = form.read(entry.payload)
    if not _OLDEST <= record.occurred_at <= now + _AHEAD:
        raise form.UnreadableRecord(f"occurred_at {record.occurred_at.isoformat()} is out of bounds")
    return record


def _record(begun: Work) -> UsageRecord:
    return replace(begun.made.record, occurred_at=instant(begun.at_ms))


def _deferred(begun: Work) -> DeferredCall:
    record = _record(begun)
    return DeferredCall(
        request_id=record.request_id,
        occurred_at=record.occurred_at,
        id=begun.id,
        kind=begun.kind,
        organization_id=record.organization_id,
        upstream=record.upstream,
        work=work.write(begun),
    )


def _columns(records: Sequence[UsageRecord]) -> list[list[Any]]:
    columns: list[list[Any]] = [[getattr(record, name) for record in records] for name in _COLUMNS]
    columns += [[getattr(record.usage, name) for record in records] for name in TOKENS]
    columns.append([dict(record.usage.quantities) for record in records])
    return columns


async def _store_sizes(connection: Connection, record: UsageRecord, place: int | None) -> None:
    teller = storage.Teller(
        *(record.organization_id, record.project_id, record.upstream, record.request_id),
        *(record.occurred_at, place),
    )
    if record.stored:
        await storage.store(connection, teller, record.stored)
    if record.freed:
        await storage.free(connection, teller, record.freed)


def _objects(records: Sequence[UsageRecord]) -> list[UpstreamObject]:
    return [
        UpstreamObject(
            id=identifier,
            kind=kind,
            organization_id=record.organization_id,
            project_id=record.project_id,
            request_id=record.request_id,
            created_at=record.occurred_at,
            upstream=record.upstream,
        )
        for record in records
        for identifier, kind in record.objects
    ]
