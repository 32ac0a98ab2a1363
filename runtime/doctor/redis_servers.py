"""Checks of Redis or Valkey: one server, or each node of a cluster."""

import time
from collections import Counter
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.exceptions import RedisError, ResponseError

from config.redis_cluster import ClusterAddress, cluster_address
from config.settings import Settings
from ledger.redis_client import open_redis
from proxy.pipeline.slots import SLOTS
from runtime.doctor.finding import UP, Finding, bad, good, odd, reason

SECONDS = 3.0
CLOCK_TOLERANCE = 1.0  # seconds between the servers' clocks and ours


async def redis(settings: Settings) -> list[Finding]:
    setting = settings.stores.redis_url
    if setting is None:
        return [odd("Redis", "nothing runs on this data directory", UP.format("REDIS_URL"))]
    url = setting.get_secret_value()
    cluster = cluster_address(url)
    try:
        async with open_redis(url, seconds=SECONDS, connect_seconds=SECONDS) as client:
            if cluster is not None and isinstance(client, RedisCluster):
                return await _cluster(client, cluster)
            assert isinstance(client, Redis)
            return await _server(client, "Redis", in_cluster=False)
    except (RedisError, OSError, ValueError) as error:
        return [bad("Redis", reason(error), "check REDIS_URL and that the server runs")]


async def _cluster(client: RedisCluster, address: ClusterAddress) -> list[Finding]:
    primaries = {node.name: node for node in client.get_primaries()}
    slots = Counter(nodes[0].name for nodes in client.nodes_manager.slots_cache.values())
    replicas = Counter(name for name, _ in _replicas(client))
    findings = [
        good("Redis", f"a cluster of {len(primaries)} primaries and {len(client.get_replicas())} replicas")
    ]
    if slots.total() < SLOTS:
        findings.append(
            bad(
                "Redis",
                f"{SLOTS - slots.total()} of {SLOTS} slots lie nowhere",
                "assign them, or mend the cluster",
            )
        )
    for node in client.get_nodes():
        role = "replica" if node.name not in primaries else f"primary of {slots[node.name]} slots"
        findings += await _node(node, address, role)
    for name in primaries:
        if not replicas[name]:
            remedy = "give it one: until it is back, the organizations that lie there are refused"
            findings.append(odd(f"Redis {name}", "has no replica", remedy))
    return findings


def _replicas(client: RedisCluster) -> set[tuple[str, str]]:
    """Each primary with each of its replicas."""
    shards = client.nodes_manager.slots_cache.values()
    return {(primary.name, replica.name) for primary, *rest in shards for replica in rest}


async def _node(node: ClusterNode, address: ClusterAddress, role: str) -> list[Finding]:
    subject = f"Redis {node.name}"
    try:
        async with Redis(
            host=node.host,
            port=int(node.port),
            username=address.username,
            password=address.password,
            ssl=address.tls,
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
        ) as client:
            return [
                *await _server(client, subject, in_cluster=True, role=role),
                *await _coverage(client, subject),
            ]
    except (RedisError, OSError) as error:
        return [bad(subject, f"{role}: {reason(error)}", "see that it runs and that it is reached from here")]


async def _coverage(client: Redis, subject: str) -> list[Finding]:
    try:
        told: dict[Any, Any] = await client.config_get("cluster-require-full-coverage")
    except ResponseError:
        return []  # a provider's own, which shows no settings
    if "yes" not in told.values() and b"yes" not in told.values():
        return []
    remedy = "set it to no: a part of the cluster that is lost must not stop the rest"
    return [odd(subject, "cluster-require-full-coverage yes", remedy)]


async def _server(client: Redis, subject: str, *, in_cluster: bool, role: str = "") -> list[Finding]:
    began = time.monotonic()
    seconds, microseconds = await client.time()
    round_trip = time.monotonic() - began
    skew = abs(seconds + microseconds / 1e6 - time.time())
    info = await client.info()
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = info.get("valkey_version", info.get("redis_version", "unknown"))
    what = f"{name} {version}, {role}" if role else f"{name} {version}"
    findings = [good(subject, f"{what}, {round_trip * 1000:.1f} ms away")]
    if not in_cluster and int(info.get("cluster_enabled", 0)):
        remedy = "write REDIS_URL as redis+cluster://host:port"
        findings.append(bad(subject, "is a node of a cluster, named as a single server", remedy))
    if skew > CLOCK_TOLERANCE:
        findings.append(odd(f"clock of {subject}", f"{skew:.1f} s from ours", "let NTP set both clocks"))
    if info.get("maxmemory_policy") != "noeviction":
        found = f"maxmemory-policy {info.get('maxmemory_policy')}"
        remedy = "set it to noeviction: an evicted counter is a limit that is lost"
        findings.append(bad(subject, found, remedy))
    if not int(info.get("aof_enabled", 0)):
        remedy = "set appendonly yes: holds and records not yet in Postgres are lost when it restarts"
        findings.append(odd(subject, "keeps no append-only file", remedy))
    return findings
