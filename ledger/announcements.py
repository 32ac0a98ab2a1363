"""Tells every proxy that something of an organization changed."""

import asyncio
import logging

from redis.asyncio import Redis
from redis.exceptions import RedisError

from ledger.changes import CHANNEL
from ledger.redis_client import RedisClient, primaries

SECONDS = 1.0
_NODE_SECONDS = 0.3

log = logging.getLogger(__name__)


async def announce(redis: RedisClient, organization_id: str) -> bool:
    """Publishes after the commit; says whether that worked.

    A failure is logged and no more: the age of caches bounds what it can do.
    """
    try:
        async with asyncio.timeout(SECONDS):
            await _publish(redis, organization_id)
    except (RedisError, OSError, TimeoutError) as error:
        log.warning("a change of %s was not announced: %s", organization_id, type(error).__name__)
        return False
    return True


async def _publish(redis: RedisClient, organization_id: str) -> None:
    if isinstance(redis, Redis):
        await redis.publish(CHANNEL, organization_id)
        return
    failure: Exception = RedisError("the cluster has no nodes")
    for node in await primaries(redis):
        try:
            async with asyncio.timeout(_NODE_SECONDS):
                await redis.publish(CHANNEL, organization_id, target_nodes=node)
        except (RedisError, OSError, TimeoutError) as error:
            failure = error
        else:
            return
    raise failure
