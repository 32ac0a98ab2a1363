"""A client of redis-py's for Redis, Valkey, or a cluster of either: what is not on the path of a request uses it."""

import random
from typing import Any, TypeAlias

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.client import PubSub
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from config.redis_cluster import cluster_address

RedisClient: TypeAlias = Redis | RedisCluster

CONNECT_SECONDS = 2.0


def open_redis(
    url: str, *, seconds: float, connect_seconds: float = CONNECT_SECONDS, retries: int = 1
) -> RedisClient:
    """Nothing is connected yet. `seconds` bounds each answer. Raises ValueError for a URL that is none.

    A command is tried once more: a connection kept since before a restart of Redis fails at its first use.
    """
    options: dict[str, Any] = {
        "socket_timeout": seconds,
        "socket_connect_timeout": connect_seconds,
        "retry": Retry(NoBackoff(), retries),
    }
    cluster = cluster_address(url)
    if cluster is None:
        return Redis.from_url(url, **options)
    return RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in cluster.seeds],
        username=cluster.username,
        password=cluster.password,
        ssl=cluster.tls,
        # The rest of a cluster serves on.
        require_full_coverage=False,
        **options,
    )


async def primaries(redis: RedisCluster) -> list[ClusterNode]:
    """The nodes that have slots, in any order."""
    await redis.initialize()
    found = redis.get_primaries()
    return random.sample(found, len(found))


async def subscriber(redis: RedisClient) -> PubSub:
    """For messages alone. A cluster passes them between its nodes, so any will do, and another where one is gone."""
    if isinstance(redis, Redis):
        return redis.pubsub()
    return redis.pubsub((await primaries(redis))[0])
