"""Asks Redis for what may have been asked long ago: what it can't tell itself is looked for where records go.

A settlement appends its record to the stream in the same script, and the record leaves the stream only once it is in
the ledger. So what is neither in the stream nor, looked up after that, in the ledger was never done.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from ledger.database import Pool, reading
from proxy.deferred.work import is_work
from proxy.pipeline import RedisPipeline
from proxy.quota import keys, settlement
from proxy.quota.scripts import Scripts
from proxy.record.owed import How, Owed, Standing

_PAGE: Final = 200
_SECONDS: Final = 10.0
"""Bounds each look into the ledger."""

# What became a row a moment ago may be unknown to counters that were rebuilt a moment before: where Redis has forgotten
# it, it has lost its data, and it is counted again, which refuses too early rather than too late. The row stays one.
_SETTLED: Final = """
    select request_id from usage where request_id = any($1::text[]) and recorded_at < now() - interval '30 seconds'
"""
_TOLD: Final = "select request_id from deferred_call where request_id = any($1::text[])"
_KEPT: Final = "select payload from dead_letter where payload = any($1::bytea[])"


class Replay:
    """Raises RedisUnavailable, RedisReplyError and DatabaseUnavailable; then all of it is asked again."""

    def __init__(self, redis: RedisPipeline, scripts: Scripts, pool: Pool) -> None:
        self._redis = redis
        self._scripts = scripts
        self._pool = pool

    async def settle(self, items: Sequence[Owed]) -> None:
        """Returns once each is done, now or before; none of them twice."""
        by_partition = defaultdict(list)
        for item in await self._ask(items, "late"):
            by_partition[item.hold.partition].append(item)
        for partition, those in by_partition.items():
            await self._ask(await self._not_in_ledger(await self._not_in_stream(partition, those)), "sure")

    async def _ask(self, items: Iterable[Owed], how: How) -> list[Owed]:
        """Those of which Redis has forgotten whether they were done."""
        asked = list(items)
        forgotten: list[Owed] = []
        while asked:
            replies = await asyncio.gather(
                *(self._redis.send_script(*item.question(self._scripts, how)) for item in asked)
            )
            pairs = list(zip(asked, replies, strict=True))
            forgotten += [item for item, reply in pairs if reply == settlement.FORGOTTEN]
            asked = [rest for item, reply in pairs if (rest := item.after(reply)) is not None]
        return forgotten

    async def _not_in_stream(self, partition: int, items: Sequence[Owed]) -> list[Owed]:
        settled, told = set[str](), set[str]()
        start = "-"
        while page := await self._redis.send("XRANGE", keys.stream(partition), start, "+", "COUNT", _PAGE):
            for _, fields in page:
                if len(fields) > 1:
                    (told if is_work(fields[1]) else settled).add(_request_of(fields[1]))
            start = f"({page[-1][0].decode()}"
        return _without(items, settled, told)

    async def _not_in_ledger(self, items: Sequence[Owed]) -> list[Owed]:
        if not items:
            return []
        ids = [item.hold.request_id for item in items]
        payloads = [record for item in items for record in item.records]
        async with reading(self._pool, acquire_seconds=_SECONDS) as connection:
            told = {row[0] for row in await connection.fetch(_TOLD, ids, timeout=_SECONDS)}
            settled = {row[0] for row in await connection.fetch(_SETTLED, ids, timeout=_SECONDS)}
            dead = {row[0] for row in await connection.fetch(_KEPT, payloads, timeout=_SECONDS)}
        return [item for item in _without(items, settled, told) if dead.isdisjoint(item.records)]


def _without(items: Sequence[Owed], settled: set[str], told: set[str]) -> list[Owed]:
    """`told`: of what work the ledger knows, or will. What has been settled has been told before."""
    return [
        item
        for item in items
        if item.hold.request_id not in (settled | told if isinstance(item, Standing) else settled)
    ]


def _request_of(payload: bytes) -> str:
    """Of a usage record, or of work; empty for what is neither."""
    try:
        told: Any = orjson.loads(payload)
        record = told["draft"]["record"] if is_work(payload) else told
        return str(record["request_id"])
    except (KeyError, TypeError, ValueError):
        return ""
