"""Checks of Redis or Valkey: one server, or each node of a cluster."""

import time
from collections import defaultdict
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from config.redis_cluster import ClusterAddress, Endpoint, cluster_address
from config.settings import Settings
from proxy.pipeline import RedisPipeline, RedisReplyError, RedisUnavailable
from proxy.pipeline.slots import SLOTS, Range, ranges
from runtime.doctor.finding import UP, Finding, bad, good, odd, reason

SECONDS = 2.0
CLOCK_TOLERANCE = 1.0  # seconds between the servers' clocks and ours


async def redis(settings: Settings) -> list[Finding]:
    setting = settings.stores.redis_url
    if setting is None:
        return [odd("Redis", "nothing runs on this data directory", UP.format("REDIS_URL"))]
    url = setting.get_secret_value()
    cluster = cluster_address(url)
    try:
        if cluster is not None:
            return await _cluster(url, cluster)
        async with Redis.from_url(url, **_asked_once()) as client:
            return await _server(client, "Redis", in_cluster=False)
    except (RedisError, RedisUnavailable, RedisReplyError, OSError, ValueError) as error:
        return [bad("Redis", reason(error), "check REDIS_URL and that the server runs")]


def _asked_once() -> dict[str, Any]:
    return {
        "socket_timeout": SECONDS,
        "socket_connect_timeout": SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }


async def _cluster(url: str, address: ClusterAddress) -> list[Finding]:
    async with RedisPipeline.opened(url, timeout=SECONDS) as pipeline:
        told = ranges(await pipeline.send_by(b"", "CLUSTER", "SLOTS"), address.seeds[0].host)
    slots: dict[Endpoint, int] = defaultdict(int)
    replicas: dict[Endpoint, set[Endpoint]] = defaultdict(set)
    for part in told:
        slots[part.owner] += part.last - part.first + 1
        replicas[part.owner].update(part.replicas)
    others = set[Endpoint]().union(*replicas.values())
    findings = [
        good("Redis", f"a cluster of {len(slots)} primaries and {len(others)} replicas"),
        *_lacking(told),
    ]
    for node, count in slots.items():
        findings += await _node(node, address, f"primary of {count} slots")
        if not replicas[node]:
            remedy = "give it one: until it is back, the organizations that lie there are refused"
            findings.append(odd(_name(node), "has no replica", remedy))
    for node in sorted(others):
        findings += await _node(node, address, "replica")
    return findings


def _lacking(told: list[Range]) -> list[Finding]:
    lacking = SLOTS - sum(part.last - part.first + 1 for part in told)
    if not lacking:
        return []
    return [bad("Redis", f"{lacking} of {SLOTS} slots lie nowhere", "assign them, or mend the cluster")]


def _name(node: Endpoint) -> str:
    return f"Redis {node.host}:{node.port}"


async def _node(node: Endpoint, address: ClusterAddress, role: str) -> list[Finding]:
    subject = _name(node)
    try:
        async with Redis(
            host=node.host,
            port=node.port,
            username=address.username,
            password=address.password,
            ssl=address.tls,
            **_asked_once(),
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
