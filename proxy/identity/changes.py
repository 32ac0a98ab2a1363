"""Listens for changes of the ledger and forgets what was cached of the organization concerned."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ledger.changes import CHANNEL, EVERYONE

_POLL_SECONDS: Final = 5.0
_log = structlog.get_logger(__name__)


async def listen(redis: Redis, forget: Callable[[str], None], *, pause: float = 0.5) -> None:
    """Runs until cancelled. After each (re)connection everything is forgotten: a message may have been missed."""
    while True:
        try:
            async with redis.pubsub(ignore_subscribe_messages=True) as channel:
                await channel.subscribe(CHANNEL)
                forget(EVERYONE)
                while True:
                    message = await channel.get_message(timeout=_POLL_SECONDS)
                    if message is not None:
                        forget(message["data"].decode())
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("changes of the ledger can't be heard", error=type(error).__name__)
            await asyncio.sleep(pause)
