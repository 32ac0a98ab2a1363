"""What the worker last said of its comparisons of counters and ledger."""

import asyncio
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from console.call import Services
from proxy.quota import keys

SECONDS = 1.0


class Reconciled(NamedTuple):
    """When all organizations were last compared (unix seconds, 0 for never), and counters mended so far."""

    at: int
    mended: int


async def reconciled(services: Services) -> Reconciled | None:
    """None while Redis can't tell."""
    try:
        async with asyncio.timeout(SECONDS):
            told: dict[bytes, bytes] = await _told(services)
    except (RedisError, OSError, TimeoutError):
        return None
    return Reconciled(int(told.get(b"at", 0)), int(told.get(b"mended", 0)))


async def _told(services: Services) -> Any:
    return await services.redis.hgetall(keys.RECONCILED)
