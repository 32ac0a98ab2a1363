"""All calls that one process attends to, and those that another left behind.

A call goes on without us: its sound goes past the proxy. So each is leased in Redis while it is attended to, and any
process hangs up a call whose lease has lapsed, because the one that attended to it was killed.
"""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from proxy.pipeline import RedisPipeline, RedisReplyError, RedisUnavailable
from proxy.quota import keys
from proxy.quota.clock import RedisClock
from proxy.realtime.hanging_up import hang_up
from proxy.upstream.route import Route

_LAST_SECONDS: Final = 5.0
"""How long hanging up may take when the process stops."""
_AT_ONCE: Final = 100

_log = structlog.get_logger(__name__)


class Attendants:
    """Owns those of one process. `ttl_ms` is how long a lease lasts; it is renewed three times in that."""

    def __init__(self, redis: RedisPipeline, clock: RedisClock, route: Route, ttl_ms: int) -> None:
        self.stopping = asyncio.Event()
        self._redis = redis
        self._clock = clock
        self._route = route
        self._ttl_ms = ttl_ms
        self._tasks: set[asyncio.Task[None]] = set()
        self._leases: dict[asyncio.Task[None], str] = {}

    def add(self, task: "asyncio.Task[None]") -> None:
        """`task` is one that attends to a call."""
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def lease(self, task: "asyncio.Task[None]", upstream: str, call: str) -> bool:
        """Whether the call is `task`'s to attend to until that ends: not where somebody attends to it already."""
        lease = f"{upstream} {call}"
        try:
            new = await self._redis.send("ZADD", keys.CALLS, "NX", self._clock.now_ms() + self._ttl_ms, lease)
        except (RedisUnavailable, RedisReplyError):
            new = 1  # better twice than not at all
        if new:
            self._leases[task] = lease
        return bool(new)

    async def watch(self) -> None:
        """Renews leases, and hangs up what nobody attends to. Runs until cancelled."""
        while True:
            await asyncio.sleep(self._ttl_ms / 3000)
            try:
                await self._look()
            except (RedisUnavailable, RedisReplyError) as error:
                _log.warning("leases of calls can't be looked at", reason=type(error).__name__)

    async def close(self, patience: float) -> None:
        """Every call comes to its end, after the response under way if that does not take longer than `patience`."""
        self.stopping.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience + _LAST_SECONDS)
            for task in late:
                task.cancel()

    async def _look(self) -> None:
        seconds, _ = await self._redis.send("TIME")
        now_ms = int(seconds) * 1000
        for lease in self._leases.values():
            self._send("ZADD", keys.CALLS, now_ms + self._ttl_ms, lease)
        lapsed = await self._redis.send("ZRANGEBYSCORE", keys.CALLS, "-inf", now_ms, "LIMIT", 0, _AT_ONCE)
        for each in lapsed:
            upstream, _, call = each.decode().partition(" ")
            _log.warning("a call that nobody attends to is hung up", call=call)
            if await hang_up(self._route, upstream, call):
                self._send("ZREM", keys.CALLS, each)

    def _done(self, task: "asyncio.Task[None]") -> None:
        """One that was cancelled has not hung up: its lease lapses, and another process does."""
        self._tasks.discard(task)
        lease = self._leases.pop(task, None)
        if lease is not None and not task.cancelled() and task.exception() is None:
            self._send("ZREM", keys.CALLS, lease)

    def _send(self, *command: str | bytes | int) -> None:
        with suppress(RedisUnavailable):  # the next renewal comes
            self._redis.send(*command).add_done_callback(_look_at)


def _look_at(reply: "asyncio.Future[object]") -> None:
    if not reply.cancelled() and (error := reply.exception()) is not None:
        _log.warning("a lease of a call was not written", reason=type(error).__name__)
