"""How many proxies share one Redis: each says every few seconds that it lives."""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from proxy.pipeline import RedisPipeline, RedisReplyError, RedisUnavailable
from proxy.quota import keys

_EVERY_SECONDS: Final = 2.0
_GONE_MS: Final = 6_000


class Census:
    """`heard` is called after each answer of Redis."""

    def __init__(self, redis: RedisPipeline, heard: Callable[[], None]) -> None:
        self.processes = 1
        """As Redis last said."""
        self._redis = redis
        self._heard = heard
        self._name = secrets.token_hex(8)

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            with suppress(RedisUnavailable, RedisReplyError):  # the number stays what it was
                await self.once()
            await asyncio.sleep(_EVERY_SECONDS)

    async def once(self) -> None:
        """Raises RedisUnavailable and RedisReplyError."""
        seconds, microseconds = await self._redis.send_by(keys.PROXIES, "TIME")
        now_ms = int(seconds) * 1000 + int(microseconds) // 1000
        _, _, count = await asyncio.gather(
            self._redis.send("ZADD", keys.PROXIES, now_ms, self._name),
            self._redis.send("ZREMRANGEBYSCORE", keys.PROXIES, "-inf", now_ms - _GONE_MS),
            self._redis.send("ZCARD", keys.PROXIES),
        )
        self.processes = max(1, int(count))
        self._heard()

    async def leave(self) -> None:
        """Waits for Redis no longer than the bound of its answers."""
        with suppress(RedisUnavailable, RedisReplyError):
            await self._redis.send("ZREM", keys.PROXIES, self._name)
