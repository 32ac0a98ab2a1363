"""A client for what a test looks for in all of Redis, whether that is one server or a cluster."""

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode

from config.redis_cluster import cluster_address


def open_redis(url: str) -> Redis | RedisCluster:
    cluster = cluster_address(url)
    if cluster is None:
        return Redis.from_url(url)
    return RedisCluster(startup_nodes=[ClusterNode(host, port) for host, port in cluster.seeds])
