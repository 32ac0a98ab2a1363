"""The drain: a process that moves usage records from Redis to Postgres, and sweeps holds that nobody settled."""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import asyncpg
import structlog

from config.settings import Settings
from ledger.database import DatabaseUnavailable, close_pool, open_pool
from proxy.pipeline import RedisPipeline, RedisReplyError, RedisUnavailable
from proxy.quota.scripts import Scripts
from proxy.record.batches import Batch, Batches, decode, joined
from proxy.record.recovery import Recovery
from proxy.record.replay import Replay
from proxy.record.stream import Entry, UsageStreams
from proxy.record.sweep import Sweep

_BATCH: Final = 1_000
_PIECE: Final = 100
"""Records that are decoded in one go, some 2 ms: the other stages wait for Redis by many short questions, and each
answer would lie for as long as a whole batch takes."""

_BLOCK_MS: Final = 250
_GATHER_SECONDS: Final = 0.05
"""Where few records come, how long more are waited for: a transaction for each would cost more than they do."""

_TAKE_OVER_SECONDS: Final = 5.0
_SWEEP_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 0.5
_LAST_BATCH_SECONDS: Final = 5.0
"""How long a batch may still take once the drain is told to stop."""

_REDIS_SECONDS: Final = 3.0

_REDIS_OUT_OF_REACH: Final = (RedisUnavailable, RedisReplyError)
_OUT_OF_REACH: Final = (
    *_REDIS_OUT_OF_REACH,
    OSError,
    TimeoutError,
    DatabaseUnavailable,
    asyncpg.PostgresError,
)
_log = structlog.get_logger(__name__)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Drains and sweeps until `stop` is set."""
    assert settings.stores.database_url is not None
    assert settings.stores.redis_url is not None
    pool = await open_pool(settings.stores.database_url.get_secret_value())
    url = settings.stores.redis_url.get_secret_value()
    # Two, so that holds are not swept behind a read that waits for records.
    redis, settling = (RedisPipeline(url, timeout=_REDIS_SECONDS) for _ in range(2))
    consumer = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    recovery = Recovery(Replay(settling, Scripts(settling), pool), pool, settings.spool_dir, None, _now)
    drain = Drain(UsageStreams(redis, consumer), Batches(pool), _now)
    sweep = Sweep(settling)
    try:
        # A Redis that is not there yet is waited for by those that ask it, each in its own way.
        await asyncio.gather(redis.connect(), settling.connect(), return_exceptions=True)
        async with asyncio.TaskGroup() as tasks:
            draining = tasks.create_task(drain.run(stop))
            recovering = tasks.create_task(_recover(recovery))
            tasks.create_task(_sweep(sweep, stop))
            await stop.wait()
            recovering.cancel()
            await asyncio.wait([draining], timeout=_LAST_BATCH_SECONDS)
            # What it had in hand is not acknowledged, so the next drain takes it over.
            draining.cancel()
    finally:
        await asyncio.gather(redis.close(), settling.close())
        await close_pool(pool)


def _now() -> datetime:
    return datetime.now(UTC)


class Drain:
    """Moves batches until told to stop. An entry is acknowledged only after its row is committed.

    One batch is read and decoded while the one before it is stored and the one before that is acknowledged: each
    waits for another program, and the next takes its turn meanwhile. So while Postgres is away, three batches at most
    are in hand.
    """

    def __init__(self, streams: UsageStreams, batches: Batches, now: Callable[[], datetime]) -> None:
        self._streams = streams
        self._batches = batches
        self._now = now
        self._look_for_left_over_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        decoded: asyncio.Queue[Batch | None] = asyncio.Queue(1)
        stored: asyncio.Queue[Batch | None] = asyncio.Queue(1)
        async with asyncio.TaskGroup() as stages:
            stages.create_task(self._reading(stop, decoded))
            stages.create_task(self._storing(decoded, stored))
            stages.create_task(self._acknowledging(stored))
        try:
            await self._streams.leave()
        except _REDIS_OUT_OF_REACH:
            _log.info("the consumer stays registered until Redis is back")

    async def once(self) -> int:
        """Moves one batch, waiting a moment for its first entry; returns how many entries."""
        entries = await self._read()
        if entries:
            batch = decode(entries, self._now())
            await self._store(batch)
            await self._streams.done(batch.entries)
        return len(entries)

    async def _reading(self, stop: asyncio.Event, decoded: asyncio.Queue[Batch | None]) -> None:
        while not stop.is_set():
            entries: list[Entry] = []
            try:
                entries = await self._read()
                if 0 < len(entries) < _BATCH:
                    await _pause(stop, _GATHER_SECONDS)
                    entries += await self._streams.read(_BATCH - len(entries), 0)
            except Exception as error:  # noqa: BLE001
                await _wait_out(error)
            if entries:
                await decoded.put(await self._decode(entries))  # waits for Postgres, as long as that takes
        await decoded.put(None)

    async def _decode(self, entries: list[Entry]) -> Batch:
        now, pieces = self._now(), []
        for start in range(0, len(entries), _PIECE):
            pieces.append(decode(entries[start : start + _PIECE], now))
            await asyncio.sleep(0)
        return joined(pieces)

    async def _storing(
        self, decoded: asyncio.Queue[Batch | None], stored: asyncio.Queue[Batch | None]
    ) -> None:
        while (batch := await decoded.get()) is not None:
            while True:
                try:
                    await self._store(batch)
                    break
                except Exception as error:  # noqa: BLE001
                    await _wait_out(error)
            await stored.put(batch)
        await stored.put(None)

    async def _acknowledging(self, stored: asyncio.Queue[Batch | None]) -> None:
        while (batch := await stored.get()) is not None:
            await self._streams.done(batch.entries)

    async def _read(self) -> list[Entry]:
        entries = await self._streams.read(_BATCH, _BLOCK_MS)
        clock = asyncio.get_running_loop().time()
        if clock >= self._look_for_left_over_at:
            left_over = await self._streams.take_over(_BATCH)
            entries += left_over
            # Where there was so much, there may be more.
            self._look_for_left_over_at = clock + (_TAKE_OVER_SECONDS if len(left_over) < _BATCH else 0)
        return entries

    async def _store(self, batch: Batch) -> None:
        stored = await self._batches.store(batch)
        if stored.dead:
            _log.error("records could not be stored and are kept as dead letters", count=stored.dead)


async def _wait_out(error: Exception) -> None:
    """Whatever it is, the drain goes on: a client library may be confused by a server that vanished."""
    if isinstance(error, _OUT_OF_REACH):
        _log.warning("usage records wait", error=type(error).__name__, reason=str(error)[:200])
    else:
        _log.error("a batch failed and is tried again", exc_info=error)
    await asyncio.sleep(_PAUSE_SECONDS)


async def _recover(recovery: Recovery) -> None:
    """What dead proxies of this machine left on its disk comes before their holds are swept."""
    while True:
        try:
            await recovery.run()
        except Exception:  # noqa: BLE001 - the drain beside it goes on
            _log.exception("what lies on the disk is tried again")
        await asyncio.sleep(_PAUSE_SECONDS)


async def _sweep(sweep: Sweep, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await sweep.run()
        except _REDIS_OUT_OF_REACH as error:
            _log.warning("expired holds wait", error=type(error).__name__)
        except Exception:  # noqa: BLE001 - the drain beside it goes on
            _log.exception("a sweep failed and is tried again")
        await _pause(stop, _SWEEP_SECONDS)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
