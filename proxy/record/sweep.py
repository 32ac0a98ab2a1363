"""Settles holds that expired: their proxy died, or lost Redis for too long."""

from collections.abc import Callable
from time import monotonic
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from ledger.partitions import PARTITIONS
from proxy.quota import keys, settlement
from proxy.quota.amounts import Amounts, Hold
from proxy.quota.held import read_hold
from proxy.quota.limits import MEASURES
from proxy.quota.scripts import source
from proxy.record import draft, form

_AT_ONCE: Final = 500
_PATIENCE_SECONDS: Final = 3.0
"""How long an expired hold is seen before it is taken. When Redis was away for longer than a hold lives, a proxy that
still has the request needs a moment to renew it or to settle it."""
_log = structlog.get_logger(__name__)


class Sweep:
    """One pass over all partitions. Any number of processes may sweep: the script settles each hold once."""

    def __init__(self, redis: Redis, ticks: Callable[[], float] = monotonic) -> None:
        self._redis = redis
        self._ticks = ticks
        self._seen: dict[bytes, float] = {}
        self._settle = redis.register_script(source("settle"))

    async def run(self) -> int:
        """Settles what has expired by Redis' time and was seen to be for a moment; returns how many holds."""
        seconds, microseconds = await self._redis.time()
        now_ms = int(seconds) * 1000 + int(microseconds) // 1000
        async with self._redis.pipeline(transaction=False) as pipe:
            for partition in range(PARTITIONS):
                pipe.zrangebyscore(keys.holds(partition), "-inf", now_ms, start=0, num=_AT_ONCE)
            expired = await pipe.execute()
        at = self._ticks()
        self._seen = {member: self._seen.get(member, at) for members in expired for member in members}
        swept = 0
        for partition, members in enumerate(expired):
            for member in members:
                if at - self._seen[member] >= _PATIENCE_SECONDS:
                    swept += await self._sweep(partition, member.decode(), now_ms)
        return swept

    async def _sweep(self, partition: int, request_id: str, now_ms: int) -> int:
        hold = await read_hold(self._redis, partition, request_id)
        if hold is None:
            await self._redis.zrem(keys.holds(partition), request_id)
            return 0
        if "what" not in hold:
            return 0
        scopes, record, used = _settlement(hold, now_ms)
        which = Hold(partition, request_id, scopes, int(hold["start"]))
        done: Any = await self._settle(*settlement.settle(which, used, record, "sweep"))
        if done:
            _log.warning("a hold expired and was settled", request_id=request_id, tokens=used.tokens)
        return int(done)


def _settlement(hold: dict[str, bytes], now_ms: int) -> tuple[tuple[str, ...], bytes, Amounts]:
    what = hold["what"]
    try:
        made = draft.read(what)
    except form.UnreadableRecord:
        # The drain keeps what it can't read as a dead letter; the counters take what was held.
        return (), what, Amounts(*(int(hold[measure]) for measure in MEASURES))
    record, used = draft.expired(
        made, at_ms=int(hold["at"]), now_ms=now_ms, delivered=int(hold.get("delivered", 0))
    )
    return made.scopes, form.write(record), used
