"""Replays what lies on the disk once Redis can be asked: of this process, and of those that died."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from ledger import dead_letters
from ledger.database import DatabaseUnavailable, Pool, reading
from ledger.dead_letters import NewDeadLetter
from proxy.pipeline import RedisReplyError, RedisUnavailable
from proxy.quota.clock import milliseconds
from proxy.record import form, owed
from proxy.record.frames import Frame
from proxy.record.owed import Begun, Owed
from proxy.record.replay import Replay
from proxy.record.spool import Orphan, Spool, orphans

_PAUSE_SECONDS: Final = 0.5
_SEARCH_SECONDS: Final = 2.0
_AT_ONCE: Final = 500
_STREAM: Final = "spool"
"""What dead letters from the disk are filed under."""

_OUT_OF_REACH: Final = (RedisUnavailable, RedisReplyError, DatabaseUnavailable, OSError, TimeoutError)
_log = structlog.get_logger(__name__)

_OF_THE_ITEM: Final = ("ERR", "WRONGTYPE")
"""Errors that Redis would answer with again; by others (OOM, LOADING, READONLY, ...) it tells of itself."""


class Recovery:
    """Runs beside the process that owns `spool`, or without one, for the dead alone.

    `settled` is told of what Redis has taken from the disk, which may lose it again. `unfinished`: whether something
    was begun that only the spool tells of; `cleared` is called once all that was in the spool has been counted.
    """

    def __init__(
        self,
        replay: Replay,
        pool: Pool,
        directory: Path,
        spool: Spool | None,
        now: Callable[[], datetime],
        *,
        settled: Callable[[Sequence[Owed]], None] = lambda items: None,
        unfinished: Callable[[], bool] = lambda: False,
        cleared: Callable[[], None] = lambda: None,
    ) -> None:
        self._replay = replay
        self._pool = pool
        self._directory = directory
        self._spool = spool
        self._now = now
        self._settled = settled
        self._unfinished = unfinished
        self._cleared = cleared
        self._done_to = 0
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self.once()
            except _OUT_OF_REACH as error:
                _log.info("what lies on the disk waits", error=type(error).__name__, reason=str(error)[:200])
                await asyncio.sleep(_PAUSE_SECONDS)
            await self._wait()

    async def once(self) -> None:
        """Replays all there is. Raises what Replay does, and OSError."""
        async with self._turn:
            if self._spool is not None:
                await self._own(self._spool)
            with orphans(self._directory) as found:
                for orphan in found:
                    await self._of_the_dead(orphan)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_SEARCH_SECONDS):
                if self._spool is None or self._spool.size > 0:
                    await asyncio.sleep(_PAUSE_SECONDS if self._spool is not None else _SEARCH_SECONDS)
                else:
                    await self._spool.filled.wait()
        except TimeoutError:
            pass

    async def _own(self, spool: Spool) -> None:
        while frames := await spool.read(self._done_to):
            await self._settle(frames, spool.directory.name)
            self._done_to = frames[-1].end
        if self._done_to and not self._unfinished() and await spool.empty(self._done_to):
            self._done_to = 0
            self._cleared()

    async def _of_the_dead(self, orphan: Orphan) -> None:
        """What was begun comes last, for how it ended may stand behind it."""
        begun: list[Begun] = []
        at = 0
        while frames := await asyncio.to_thread(orphan.frames, at):
            begun += await self._settle(frames, orphan.path.name)
            at = frames[-1].end
        ended = [each.ended(milliseconds(self._now())) for each in begun]
        for start in range(0, len(ended), _AT_ONCE):
            await self._settle_all(ended[start : start + _AT_ONCE], orphan.path.name)
        orphan.remove()
        if at:
            _log.warning("what a dead process left on the disk is settled", file=orphan.path.name)

    async def _settle(self, frames: Sequence[Frame], file: str) -> list[Begun]:
        """Those that had only begun, which are left."""
        items: list[Owed] = []
        begun: list[Begun] = []
        for frame in frames:
            try:
                if frame.payload is None:
                    raise form.UnreadableRecord("damaged on the disk")  # noqa: TRY301
                item = owed.read(frame.payload)
            except form.UnreadableRecord as error:
                await self._bury(f"{file}:{frame.end}", frame.payload or b"", str(error))
                continue
            if isinstance(item, Begun):
                begun.append(item)
            else:
                items.append(item)
        await self._settle_all(items, file)
        return begun

    async def _settle_all(self, items: Sequence[Owed], file: str) -> None:
        """One that Redis will never take holds up none of the others: its records are kept as dead letters."""
        try:
            await self._replay.settle(items)
            self._settled(items)
        except RedisReplyError:
            for item in items:
                try:
                    await self._replay.settle([item])
                    self._settled([item])
                except RedisReplyError as error:
                    if error.code not in _OF_THE_ITEM:
                        raise
                    for number, record in enumerate(item.records):
                        await self._bury(f"{file}:{item.name}:{number}", record, str(error))

    async def _bury(self, entry_id: str, payload: bytes, reason: str) -> None:
        _log.error("something on the disk can't be settled and is kept as a dead letter", reason=reason[:200])
        async with reading(self._pool) as connection:
            await dead_letters.keep(connection, [NewDeadLetter(_STREAM, entry_id, payload, reason)])
