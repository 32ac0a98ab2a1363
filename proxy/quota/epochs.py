"""What Redis has lost is brought back before anything is admitted again, by every proxy what it knows of.

A partition's epoch vanishes with its data. A new one begins closed, and opens as lua/epoch.lua says.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol

import structlog

from ledger.database import DatabaseUnavailable
from ledger.partitions import PARTITIONS
from proxy.pipeline import Argument, RedisPipeline, RedisReplyError, RedisUnavailable
from proxy.pipeline.replies import successes
from proxy.quota import keys
from proxy.quota.roll import Roll
from proxy.quota.scripts import source

_LOOK_SECONDS: Final = 1.0
_BEGIN_SECONDS: Final = 2.0
_CLOSED_SECONDS: Final = 0.05
_BRING_BACK_SECONDS: Final = 30.0
"""Bounds one attempt to bring back all this process knows; what it has done is not done again by the next."""
_OUT_OF_REACH: Final = (RedisUnavailable, RedisReplyError, DatabaseUnavailable, OSError, TimeoutError)

_log = structlog.get_logger(__name__)


class Known(Protocol):
    """What this process knows. Raises RedisUnavailable, RedisReplyError, DatabaseUnavailable, OSError, TimeoutError."""

    async def bring_back(self, partitions: frozenset[int]) -> None:
        """Takes again the holds of what runs here, and settles what is owed."""

    async def opened(self, partitions: frozenset[int]) -> None:
        """Others admit again."""


class Epochs:
    """Looks after every connect, every second, and whenever somebody waits for a partition to open."""

    def __init__(self, redis: RedisPipeline, roll: Roll, known: Known, hold_ms: int) -> None:
        """A hold lives for `hold_ms` unrenewed."""
        self._redis = redis
        self._script = redis.script(source("epoch"))
        self._roll = roll
        self._known = known
        self._hold_ms = hold_ms
        self._retaken: dict[int, bytes] = {}
        self._closed = frozenset(range(PARTITIONS))
        self._wake = asyncio.Event()
        self._looked = asyncio.Event()
        redis.on_connect.append(self._wake.set)

    async def begin(self) -> None:
        """Enters the roll and looks, before the first call. What can't be done now is done by `run` of both."""
        try:
            async with asyncio.timeout(_BEGIN_SECONDS):
                await self._roll.say()
                await self.once()
        except _OUT_OF_REACH as error:
            _log.warning("what is counted is not known yet", reason=repr(error)[:200])

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            self._wake.clear()
            looked, self._looked = self._looked, asyncio.Event()
            try:
                pause = _CLOSED_SECONDS if await self.once() else _LOOK_SECONDS
            except _OUT_OF_REACH as error:
                _log.info("nobody knows yet what redis has lost", error=type(error).__name__)
                pause = _CLOSED_SECONDS
            looked.set()
            if pause == _CLOSED_SECONDS:
                await asyncio.sleep(pause)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def opened(self, partition: int) -> None:
        """Returns once a look that begins now, or later, finds it open; the caller bounds it."""
        while True:
            self._wake.set()
            await self._looked.wait()
            if partition not in self._closed:
                return

    async def once(self) -> frozenset[int]:
        """Brings back what is missing; the partitions that stay closed, for want of others. Raises as `Known` does."""
        closed = await self._ask(dict.fromkeys(await self._unopened(), b""), ())
        lost = closed.keys() - self._closed
        if lost:
            _log.warning("redis has lost what it knew", partitions=len(lost))
        missing = {
            partition: epoch for partition, epoch in closed.items() if self._retaken.get(partition) != epoch
        }
        if missing:
            async with asyncio.timeout(_BRING_BACK_SECONDS):
                await self._known.bring_back(frozenset(missing))
            self._retaken |= missing
        if closed:
            closed = await self._ask(closed, await self._roll.names())
        await self._known.opened(self._closed - closed.keys())
        self._closed = frozenset(closed)
        return self._closed

    async def _unopened(self) -> list[int]:
        """Partitions of a cluster's nodes that can't be reached are left for later."""
        commands = {name: ("HEXISTS", name, "open") for name in map(keys.epoch, range(PARTITIONS))}
        there = successes(await self._redis.execute_all(commands))
        return [partition for partition in range(PARTITIONS) if there.get(keys.epoch(partition)) == 0]

    async def _ask(self, epochs: Mapping[int, bytes], names: Sequence[str]) -> dict[int, bytes]:
        """Says that this proxy is ready for these epochs; those that are closed still, as they are now."""
        asked = {}
        for partition, epoch in epochs.items():
            arguments: list[Argument] = [self._roll.name, epoch, self._hold_ms, *names]
            asked[partition] = self._redis.send_script(self._script, [keys.epoch(partition)], arguments)
        replies = dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))
        return {partition: epoch for partition, (epoch, is_open) in replies.items() if not is_open}
