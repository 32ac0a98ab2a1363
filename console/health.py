"""Whether the console lives and can serve, and its figures."""

import asyncio

from asyncpg import PostgresError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from console.call import Services
from ledger import database, dead_letters, migrations
from ledger.database import DatabaseUnavailable
from ledger.migrations import MigrationError
from proxy.pipeline import RedisReplyError, RedisUnavailable

SECONDS = 2.0


async def healthz(_: Request) -> Response:
    """The process lives."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """200 if it can serve, else 503; with what is wrong. Redis away costs quota and holds only: still ready."""
    services: Services = request.state.services
    postgres, redis = await asyncio.gather(_postgres(services), _redis(services))
    reasons = {name: reason for name, reason in (("postgres", postgres), ("redis", redis)) if reason}
    status = "unready" if postgres else ("degraded" if redis else "ok")
    return JSONResponse({"status": status, "reasons": reasons}, 503 if postgres else 200)


async def open_dead_letters(services: Services) -> int | None:
    """How many wait for somebody to look after them; None where the ledger can't be asked now."""
    try:
        async with (
            asyncio.timeout(SECONDS),
            database.reading(services.pool, acquire_seconds=1.0) as connection,
        ):
            return await dead_letters.count_open(connection)
    except (DatabaseUnavailable, TimeoutError, PostgresError):
        return None


async def _postgres(services: Services) -> str | None:
    try:
        async with (
            asyncio.timeout(SECONDS),
            database.reading(services.pool, acquire_seconds=1.0) as connection,
        ):
            lacking = await migrations.pending(connection)
    except (DatabaseUnavailable, TimeoutError):
        return "does not answer"
    except MigrationError as error:
        return str(error)
    return f"lacks migration {lacking[0]}" if lacking else None


async def _redis(services: Services) -> str | None:
    try:
        async with asyncio.timeout(SECONDS):
            await services.redis.execute("PING")
    except (RedisUnavailable, RedisReplyError, TimeoutError):
        return "does not answer"
    return None
