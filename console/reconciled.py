"""What the worker last said of its comparisons of counters and ledger."""

import asyncio
from typing import NamedTuple

from console.call import Services
from proxy.pipeline import RedisReplyError, RedisUnavailable
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
            flat = await services.redis.execute("HGETALL", keys.RECONCILED)
    except (RedisUnavailable, RedisReplyError, TimeoutError):
        return None
    told = dict(zip(flat[::2], flat[1::2], strict=True))
    return Reconciled(int(told.get(b"at", 0)), int(told.get(b"mended", 0)))
