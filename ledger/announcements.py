"""Tells every proxy that something of an organization changed."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, Protocol

from redis.exceptions import RedisError

from ledger.changes import CHANNEL

SECONDS = 1.0

log = logging.getLogger(__name__)


class Publisher(Protocol):
    """A client of redis-py's, or the proxies' own."""

    def publish(self, channel: str, message: str) -> Awaitable[Any]:
        """Raises RedisError or OSError."""


async def announce(redis: Publisher, organization_id: str) -> bool:
    """Publishes after the commit; says whether that worked.

    A failure is logged and no more: the age of caches bounds what it can do.
    """
    try:
        async with asyncio.timeout(SECONDS):
            await redis.publish(CHANNEL, organization_id)
    except (RedisError, OSError, TimeoutError) as error:
        log.warning("a change of %s was not announced: %s", organization_id, type(error).__name__)
        return False
    return True
