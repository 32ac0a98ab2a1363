"""Listens for changes of the ledger and forgets what was cached of the organization concerned."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ledger.changes import CHANNEL, EVERYONE
from proxy.pipeline import RedisUnavailable

_QUIET_SECONDS: Final = 1.0
"""After so long without a word the server is asked for one, and after as long again it is taken for lost: a connection
that carries nothing any more is not told from one on which nothing happens."""
_log = structlog.get_logger(__name__)


async def listen(
    connect: Callable[[], Redis],
    forget: Callable[[str], None],
    *,
    quiet: float = _QUIET_SECONDS,
    pause: float = 0.5,
) -> None:
    """Runs until cancelled, with a client of its own for each connection.

    Whenever it begins to hear, everything is forgotten: a message may have been missed. `connect` may raise
    RedisUnavailable.
    """
    while True:
        try:
            async with connect() as redis:
                await _hear(redis, forget, quiet)
        except (RedisUnavailable, RedisError, OSError, TimeoutError) as error:
            _log.warning("changes of the ledger can't be heard", error=type(error).__name__)
        await asyncio.sleep(pause)


async def _hear(redis: Redis, forget: Callable[[str], None], quiet: float) -> None:
    async with redis.pubsub() as channel:
        await channel.subscribe(CHANNEL)
        asked = True
        while True:
            message = await channel.get_message(timeout=quiet)
            if message is not None:
                asked = False
                if message["type"] == "subscribe":
                    forget(EVERYONE)
                elif message["type"] == "message":
                    forget(message["data"].decode())
            elif asked:
                raise TimeoutError
            else:
                asked = True
                await channel.ping()
