"""One month into a file, and out of the table only once the file is seen to hold it all.

Killed at any step, nothing is lost and the next run does it again: a file that no row of usage_archive names is
nobody's, and is written anew; that row and the end of the partition are one transaction.
"""

import asyncio
import os
from contextlib import suppress
from datetime import timedelta
from typing import Final

import asyncpg
import structlog

from billing_worker.archive import parquet
from billing_worker.archive.columns import Column, columns_of, sums_in_database
from ledger.archive import parts
from ledger.archive.parts import Part, Sums
from ledger.archive.store import ArchiveUnavailable, Store
from ledger.database import Connection, Pool, reading
from ledger.periods import Period
from ledger.usage_partitions import partition_name

_LOCK: Final = 0x61726368  # "arch"
_SECONDS: Final = 3_600.0
"""Bounds each statement that reads the whole month."""
_LOCK_WAIT: Final = "2s"
"""Who waits for the table holds up all who come after: rather not for long, and again later."""
_LOCK_TRIES: Final = 5
_LOCK_PAUSE: Final = timedelta(seconds=10)

_log = structlog.get_logger(__name__)


class Busy(Exception):
    """Another worker archives, or the table is in use too much to be changed now."""


async def archive_month(pool: Pool, store: Store, month: Period) -> Part | None:
    """The file that the month's partition went to; None where it was empty, and only dropped.

    Raises Busy; ArchiveUnavailable where the store fails, or does not hold what was written; what `reading` raises.
    """
    table = partition_name(month.start)
    async with reading(pool) as guard, guard.transaction():
        if not await guard.fetchval("select pg_try_advisory_xact_lock($1)", _LOCK):
            raise Busy("another worker is archiving")
        async with (
            reading(pool) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            columns = await columns_of(connection, table)
            rows, sums = await sums_in_database(connection, table, columns, _SECONDS)
            part = await _file(connection, store, month, table, columns, rows, sums) if rows else None
        await _drop(pool, table, columns, rows, sums, part)
    return part


async def _file(
    connection: Connection,
    store: Store,
    month: Period,
    table: str,
    columns: list[Column],
    rows: int,
    sums: Sums,
) -> Part:
    number = await parts.count(connection, month.start.date()) + 1
    name = f"usage/{month.start:%Y}/usage-{month.start:%Y-%m}-{number}.parquet"
    ends = await connection.fetchrow(
        f"select min(occurred_at), max(occurred_at) from {table}", timeout=_SECONDS
    )
    assert ends is not None  # an aggregate always has its row
    try:
        written = await _copy(connection, table, columns, store, name)
        if await asyncio.to_thread(parquet.hashed, store, name) != written:
            raise ArchiveUnavailable(f"{name} is not in the store as it was written")
        found = await asyncio.to_thread(parquet.sums_in_file, store, name, columns)
    except OSError as error:
        raise ArchiveUnavailable(f"{name}: {type(error).__name__}: {error}") from error
    if found != (rows, sums):
        raise ArchiveUnavailable(f"{name} does not add up to the rows that went into it")
    return Part(
        month=month.start.date(),
        part=number,
        file=name,
        rows=rows,
        first_at=ends[0],
        last_at=ends[1],
        sums=sums,
        size=written.size,
        sha256=written.sha256,
    )


async def _copy(
    connection: Connection, table: str, columns: list[Column], store: Store, name: str
) -> parquet.Written:
    """The rows go through a pipe to a thread that writes them: as much is in memory as the thread is behind."""
    out, into = os.pipe()
    writing = asyncio.create_task(asyncio.to_thread(parquet.write, out, store, name, columns))

    async def pass_on(data: bytes) -> None:
        # Once the thread has ended early the rest goes nowhere: a copy that its reader breaks off may be stuck.
        if not writing.done():
            with suppress(BrokenPipeError):
                await asyncio.to_thread(_write_all, into, data)

    told = ", ".join(f"{each.told} as {each.name}" for each in columns)
    try:
        await connection.copy_from_query(
            f'select {told} from {table} order by occurred_at, request_id collate "C"',
            output=pass_on,
            format="csv",
            force_quote=True,
            timeout=_SECONDS,
        )
    finally:
        os.close(into)
        written = await asyncio.shield(writing)
    return written


def _write_all(into: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(into, view) :]


async def _drop(
    pool: Pool, table: str, columns: list[Column], rows: int, sums: Sums, part: Part | None
) -> None:
    """Raises Busy where the table changed meanwhile, or is too busy."""
    for _ in range(_LOCK_TRIES):
        async with reading(pool) as connection:
            try:
                async with connection.transaction():
                    await connection.execute(f"set local lock_timeout = '{_LOCK_WAIT}'")
                    # Nobody writes to the month from here on; it is read until it is gone.
                    await connection.execute(f"lock table {table} in share mode")
                    if await sums_in_database(connection, table, columns, _SECONDS) != (rows, sums):
                        raise Busy(f"{table} was written to while it was archived")
                    if part is not None:
                        await parts.enter(connection, part)
                    await connection.execute(f"alter table usage detach partition {table}")
                    await connection.execute(f"drop table {table}")
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
                _log.info("the month waits until it is less in use", table=table, reason=type(error).__name__)
            else:
                return
        await asyncio.sleep(_LOCK_PAUSE.total_seconds())
    raise Busy(f"{table} is in use too much to be taken out of the table")
