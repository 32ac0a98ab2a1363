"""What the upstream, the ledger and the counters say of a run, read once it is quiet."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import httpx
from redis.asyncio import Redis

from ledger.partitions import partition_of
from ledger.periods import month_of
from loadtests.conservation.stage import HOLD_SECONDS, Stage, Tenant
from proxy.quota import keys
from proxy.quota.clock import milliseconds

_QUIET_SECONDS: Final = 60.0
_FRESH_MS: Final = 1000
_SWEPT_SECONDS: Final = 6.0


class UpstreamBooks:
    """Reads them again and again: the simulator keeps the last ten thousand requests only."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._entries: dict[str, dict[str, Any]] = {}

    async def keep(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.read()
            try:
                async with asyncio.timeout(2):
                    await stop.wait()
            except TimeoutError:
                continue

    async def read(self) -> int:
        """How many streams are open."""
        async with httpx.AsyncClient(timeout=30) as client:
            report = (await client.get(f"{self._address}/simulator/books")).json()
        for entry in report["requests"]:
            self._entries[entry["request_id"]] = entry
        return int(report["open_streams"])

    def by_label(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for entry in self._entries.values():
            if entry["client_request_id"]:
                found[entry["client_request_id"]].append(entry)
        return found


@dataclass(frozen=True)
class Counters:
    """Of one organization's month: used, still held, and what is counted as running. Not `known` where Redis has lost
    them, and nobody has called since: the next call brings them back from the ledger."""

    known: bool

    requests: int
    tokens: int
    money: int
    held: int
    running: int


async def until_quiet(stage: Stage) -> None:
    """Waits until no hold is left and every record is in Postgres. Raises TimeoutError."""
    redis = Redis.from_url(stage.redis_url)
    try:
        async with asyncio.timeout(_QUIET_SECONDS):
            while True:
                left = [await redis.zcard(key) async for key in redis.scan_iter("*:holds")]
                waiting = [key async for key in redis.scan_iter("*:usage") if await redis.xlen(key)]
                if not sum(left) and not waiting:
                    return
                await asyncio.sleep(0.2)
    finally:
        await redis.aclose()


async def until_swept(stage: Stage) -> None:
    """Waits until the holds of a proxy that was killed are over, and the sweep has seen them."""
    await asyncio.sleep(max(0.0, stage.killed_at + HOLD_SECONDS + _SWEPT_SECONDS - time.monotonic()))


async def until_drained(stage: Stage) -> None:
    """Waits until no record has waited for more than a moment. Raises TimeoutError."""
    redis = Redis.from_url(stage.redis_url)
    try:
        async with asyncio.timeout(_QUIET_SECONDS):
            while True:
                seconds, _ = await redis.time()
                oldest = [at async for at in _first_entries(redis)]
                if all(seconds * 1000 - at < _FRESH_MS for at in oldest):
                    return
                await asyncio.sleep(0.1)
    finally:
        await redis.aclose()


async def _first_entries(redis: Redis) -> AsyncIterator[int]:
    """When the longest waiting record of each partition came, in ms."""
    async for key in redis.scan_iter("*:usage"):
        for identifier, _ in await redis.xrange(key, count=1) or []:
            yield int(bytes(identifier).decode().partition("-")[0])  # type: ignore[arg-type]


async def counters_of(stage: Stage, tenants: Sequence[Tenant]) -> dict[str, Counters]:
    start = milliseconds(month_of(datetime.now(UTC), "UTC").start)
    redis = Redis.from_url(stage.redis_url)
    found = {}
    try:
        for tenant in tenants:
            partition, scope = partition_of(tenant.organization_id), f"o:{tenant.organization_id}"
            used: dict[bytes, bytes] = await redis.hgetall(keys.period(partition, scope, start))  # type: ignore[assignment]
            running = await redis.hget(keys.live(partition, scope), "c")
            number = {name.decode(): int(value) for name, value in used.items()}
            found[tenant.organization_id] = Counters(
                "s" in number,
                number.get("r", 0),
                number.get("t", 0),
                number.get("m", 0),
                sum(number.get(name, 0) for name in ("hr", "ht", "hm", "hb")),
                int(running or 0),
            )
    finally:
        await redis.aclose()
    return found


async def ledger_of(stage: Stage) -> tuple[list[dict[str, Any]], int]:
    """All usage rows, and how many dead letters there are."""
    connection = await asyncpg.connect(stage.database_url, timeout=10)
    try:
        rows = await connection.fetch(
            "select request_id, occurred_at, organization_id, status, outcome, input_tokens, output_tokens, "
            "price_nano, usage_source, search_term as label from usage order by occurred_at"
        )
        dead = await connection.fetchval("select count(*) from dead_letter")
    finally:
        await connection.close(timeout=5)
    return [dict(row) for row in rows], dead
