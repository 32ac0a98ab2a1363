"""Settles holds that expired: their proxy died, or lost Redis for too long."""

from collections.abc import Callable
from time import monotonic
from typing import Final

import structlog

from ledger.partitions import PARTITIONS
from proxy.pipeline import RedisPipeline, RedisReplyError, RedisUnavailable
from proxy.pipeline.replies import successes
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

    def __init__(self, redis: RedisPipeline, ticks: Callable[[], float] = monotonic) -> None:
        self._redis = redis
        self._ticks = ticks
        self._seen: dict[bytes, float] = {}
        self._settle = redis.script(source("settle"))

    async def run(self) -> int:
        """Settles what has expired by Redis' time and was seen to be for a moment; returns how many holds.

        Holds of a node of a cluster that can't be reached wait. Raises RedisUnavailable, RedisReplyError where all do.
        """
        # A node's clock that differs from this one's is no matter: the script looks at its own.
        seconds, microseconds = await self._redis.execute("TIME")
        now_ms = int(seconds) * 1000 + int(microseconds) // 1000
        partitions = {keys.holds(partition): partition for partition in range(PARTITIONS)}
        expired = successes(
            await self._redis.execute_all(
                {name: ("ZRANGEBYSCORE", name, "-inf", now_ms, "LIMIT", 0, _AT_ONCE) for name in partitions}
            )
        )
        at = self._ticks()
        self._seen = {
            member: self._seen.get(member, at) for members in expired.values() for member in members
        }
        swept = 0
        for name, members in expired.items():
            due = [member.decode() for member in members if at - self._seen[member] >= _PATIENCE_SECONDS]
            try:
                for request_id in due:
                    swept += await self._sweep(partitions[name], request_id, now_ms)
            except (RedisUnavailable, RedisReplyError) as error:
                _log.warning(
                    "expired holds of a partition wait", partition=partitions[name], reason=str(error)[:200]
                )
        return swept

    async def _sweep(self, partition: int, request_id: str, now_ms: int) -> int:
        hold = await read_hold(self._redis, partition, request_id)
        if hold is None:
            await self._redis.execute("ZREM", keys.holds(partition), request_id)
            return 0
        if "what" not in hold:
            return 0
        scopes, record, used = _settlement(hold, now_ms)
        which = Hold(partition, request_id, scopes, int(hold["start"]), "k" in hold)
        asked = settlement.settle(which, used, record, "sweep")
        done: int = await self._redis.send_script(self._settle, *asked)
        if done:
            _log.warning("a hold expired and was settled", request_id=request_id, tokens=used.tokens)
        return done


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
