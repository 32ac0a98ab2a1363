"""Connections to Postgres: one pool a process, every wait bounded, an outage told from a fault."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 15.0
ACQUIRE_SECONDS = 5.0
CLOSE_SECONDS = 5.0

_JSONB_VERSION = b"\x01"


class DatabaseUnavailable(Exception):
    """Postgres is away, starting, full or too slow. What was asked may or may not have been done."""


_OUTAGES = (
    ConnectionError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.LockNotAvailableError,
)


async def prepare(connection: Connection) -> None:
    """Gives a new connection its codecs: jsonb is any JSON value, in and out."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: _JSONB_VERSION + orjson.dumps(value),
        decoder=lambda data: orjson.loads(data[1:]),
        format="binary",
    )


async def open_pool(
    database_url: str,
    *,
    size: int = 10,
    name: str = "tollkeeper",
    connect_seconds: float = CONNECT_SECONDS,
    command_seconds: float = COMMAND_SECONDS,
) -> Pool:
    """A pool of up to `size` connections, opened as they are needed: this succeeds while Postgres is away."""
    return await asyncpg.create_pool(
        database_url,
        min_size=0,
        max_size=size,
        timeout=connect_seconds,
        command_timeout=command_seconds,
        init=prepare,
        server_settings={"application_name": name, "timezone": "UTC"},
    )


async def close_pool(pool: Pool) -> None:
    """Closes within CLOSE_SECONDS, cutting what is still running then."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await pool.close()
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pool.terminate()


@asynccontextmanager
async def reading(pool: Pool, *, acquire_seconds: float = ACQUIRE_SECONDS) -> AsyncIterator[Connection]:
    """A pooled connection. Raises DatabaseUnavailable for an outage, also in the middle of the block."""
    opened = False
    try:
        async with pool.acquire(timeout=acquire_seconds) as connection:
            opened = True
            try:
                yield connection
            except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
                # Also what asyncpg raises for a fault of ours, which is no outage.
                if _lost(connection):
                    raise _unavailable(error) from error
                raise
    except _OUTAGES as error:
        raise _unavailable(error) from error
    except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        # No such socket, no such host, a pool that closes; once opened, nothing of Postgres.
        if opened:
            raise
        raise _unavailable(error) from error


def _lost(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        # The pool takes a broken connection away from whoever works with it.
        return True


def _unavailable(error: Exception) -> DatabaseUnavailable:
    return DatabaseUnavailable(f"{type(error).__name__}: {error}")


@asynccontextmanager
async def transaction(pool: Pool, *, acquire_seconds: float = ACQUIRE_SECONDS) -> AsyncIterator[Connection]:
    """A connection in a transaction that commits at the end of the block. Raises as `reading` does."""
    async with reading(pool, acquire_seconds=acquire_seconds) as connection, connection.transaction():
        yield connection


async def answers(pool: Pool) -> bool:
    """Whether Postgres answers now."""
    try:
        async with reading(pool, acquire_seconds=1.0) as connection:
            value: Any = await connection.fetchval("select 1", timeout=1.0)
    except DatabaseUnavailable:
        return False
    return bool(value == 1)
