"""Holds of work that goes on, taken again where Redis has lost them: the ledger tells of each until it is charged."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

import structlog

from ledger import deferred_calls
from ledger.database import Pool, reading
from proxy.deferred.kinds import KINDS
from proxy.deferred.work import Work, read, write
from proxy.pipeline import RedisPipeline
from proxy.quota import keys, settlement
from proxy.quota.amounts import NOTHING
from proxy.quota.scripts import Scripts
from proxy.record import draft, form

_AT_ONCE: Final = 500
_SHORTEST_MS: Final = 1_000

_log = structlog.get_logger(__name__)


class WorkHolds:
    """Every proxy takes them all: the second one finds that they are there."""

    def __init__(self, redis: RedisPipeline, scripts: Scripts, pool: Pool) -> None:
        self._redis = redis
        self._scripts = scripts
        self._pool = pool

    async def retake(self, partitions: frozenset[int], untold: Sequence[Work]) -> None:
        """`untold` is what the ledger may not know of yet. Raises RedisUnavailable, RedisReplyError,
        DatabaseUnavailable."""
        await self._restore(untold)
        async with reading(self._pool) as connection:
            known = {row.request_id: row.work for row in await deferred_calls.all_of(connection)}
        works = [work for work in _readable(known.values()) if work.partition in partitions]
        await self._restore(works)
        # What was charged meanwhile must not stay held until its life is over.
        async with reading(self._pool) as connection:
            still = {row.request_id for row in await deferred_calls.all_of(connection)}
        for work in works:
            if work.hold.request_id not in still:
                names, arguments = settlement.settle(work.hold, NOTHING, b"", "release")
                await self._redis.send_script(self._scripts.settle, names, arguments)

    async def _restore(self, works: Sequence[Work]) -> None:
        for start in range(0, len(works), _AT_ONCE):
            await asyncio.gather(*(self._take(work) for work in works[start : start + _AT_ONCE]))

    async def _take(self, work: Work) -> None:
        seconds, _ = await self._redis.send_by(keys.holds(work.partition), "TIME")
        now_ms = int(seconds) * 1000
        life_ms = max(_SHORTEST_MS, work.at_ms + KINDS[work.kind].life * 1000 - now_ms)
        _, held = work.lost(now_ms)
        names, arguments = settlement.restore(
            work.hold,
            held,
            at_ms=work.at_ms,
            paced=False,
            ttl_ms=life_ms,
            delivered=work.most_output,
            what=draft.write(work.made),
        )
        if await self._redis.send_script(self._scripts.restore, names, arguments):
            await self._redis.send("SET", keys.work(work.partition, work.id), write(work), "PX", life_ms)


def _readable(payloads: Iterable[bytes]) -> Iterable[Work]:
    for payload in payloads:
        try:
            yield read(payload)
        except form.UnreadableRecord as error:
            _log.error("work that goes on can't be read, and is not held", reason=str(error))
