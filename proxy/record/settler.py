"""Sees every settlement through: sent at once, sent again until Redis has confirmed it, whoever began it is gone."""

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

import structlog

from proxy.deferred.work import Work
from proxy.pipeline import RedisPipeline, RedisReplyError, RedisUnavailable
from proxy.quota.amounts import NOTHING, NOTHING_STORED, Amounts, Hold, Storage
from proxy.quota.scripts import Scripts
from proxy.record import owed
from proxy.record.confirmed import Confirmed
from proxy.record.owed import Begun, Owed, Settlement, Standing
from proxy.record.spool import Spool

_RETRY_SECONDS: Final = 0.2
_SPOOL_AFTER_SECONDS: Final = 1.0
"""How long Redis may leave a settlement unconfirmed before it goes to the disk."""
_SPOOL_SECONDS: Final = 5.0
"""How long the disk may take for the last of them, when the process ends."""
_PER_WRITE: Final = 1_000
_MOST_OPEN: Final = 50_000
REMEMBER_WORK_SECONDS: Final = 86_400
"""How long finished work may be found finished again."""
_log = structlog.get_logger(__name__)


class Settler:
    """Owns all settlements that Redis has not confirmed. `settle` and its like never wait, so nothing can skip them.

    The script recognises a settlement that it has done, so one of unknown outcome is simply asked again. What stays
    unconfirmed goes to the spool, if there is one, and is then whoever's who replays that. What Redis confirmed is
    asked again, too, where it may have lost it: just before its connection broke, and all where its data are gone.
    """

    def __init__(
        self,
        redis: RedisPipeline,
        scripts: Scripts,
        spool: Spool | None = None,
        ended: Callable[[str, Amounts | None], None] = lambda request_id, used: None,
    ) -> None:
        """`ended` is told at once of each request that is settled, given back, or (None) goes on as work."""
        self._redis = redis
        self._scripts = scripts
        self._spool = spool
        self._ended = ended
        self._open: dict[str, tuple[Owed, float]] = {}
        self._failed: set[str] = set()
        self._begun: set[str] = set()
        self.confirmed = Confirmed(redis)
        self._tasks: set[asyncio.Task[None]] = set()
        redis.on_connect.append(lambda: self._doubt(self.confirmed.take_recent()))
        self._retry: asyncio.Task[None] | None = None
        self._fewer = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def unconfirmed(self) -> int:
        """In memory; what is in the spool is not counted here."""
        return len(self._open)

    @property
    def unfinished(self) -> bool:
        """Whether anything was begun that only the spool tells of, and is neither confirmed nor there as it ended."""
        return bool(self._begun)

    @property
    def full(self) -> bool:
        """Whether so much waits for Redis that no more should be begun."""
        return len(self._open) >= _MOST_OPEN or (self._spool is not None and self._spool.full)

    def settle(self, hold: Hold, used: Amounts, record: bytes, storage: Storage = NOTHING_STORED) -> None:
        """Replaces the hold by what was used, and writes the record."""
        self._ended(hold.request_id, used)
        self._submit(Settlement(hold, used, record, "settle", storage=storage))

    def settle_work(self, hold: Hold, used: Amounts, records: Sequence[bytes]) -> None:
        """As `settle`, for work that went on after its call, and may be found finished by several."""
        first, *more = records
        self._submit(Settlement(hold, used, first, "settle", tuple(more), REMEMBER_WORK_SECONDS))

    def release(self, hold: Hold) -> None:
        """Gives back a hold that may have been taken, and records nothing."""
        self._ended(hold.request_id, NOTHING)
        self._submit(Settlement(hold, NOTHING, b"", "release"))

    def let_stand(self, work: Work) -> None:
        """The hold of its call stands for the work from now on."""
        self._ended(work.hold.request_id, None)
        self._submit(Standing(work))

    async def begin(self, hold: Hold, at_ms: int, what: bytes) -> bool:
        """What goes on without a hold in Redis is on the disk when this returns, if there is one. Raises OSError."""
        if self._spool is None:
            return False
        await self._spool.write([owed.write(Begun(hold, at_ms, what))])
        self._begun.add(hold.request_id)
        return True

    def works(self, partitions: frozenset[int]) -> list[Work]:
        """What goes on in these partitions, as far as the ledger may not have been told of it."""
        waiting = [item for item, _ in self._open.values() if item.hold.partition in partitions]
        return [
            item.work for item in (*self.confirmed.within(partitions), *waiting) if isinstance(item, Standing)
        ]

    async def lost(self, partitions: frozenset[int]) -> None:
        """Redis has lost these partitions: returns once all it had confirmed there and all that is not confirmed now is
        on the disk, or confirmed; the caller bounds it."""
        self._doubt(self.confirmed.take_all(partitions))
        if self._tasks:
            await asyncio.wait(set(self._tasks))
        waiting = [(name, item) for name, (item, _) in self._open.items()]
        while any(name in self._open and self._open[name][0] is item for name, item in waiting):
            self._fewer.clear()
            await self._fewer.wait()

    async def close(self, patience: float) -> int:
        """Waits up to `patience` seconds for confirmations; the rest goes to the spool. Returns how many settlements
        are neither confirmed nor there."""
        try:
            async with asyncio.timeout(patience):
                await self._idle.wait()
        except TimeoutError:
            _log.warning("settlements are not confirmed", count=len(self._open))
        if self._retry is not None:
            self._retry.cancel()
        try:
            async with asyncio.timeout(_SPOOL_SECONDS):
                while self._open and self._spool is not None:
                    await self._put_away(list(self._open)[:_PER_WRITE])
        except (TimeoutError, OSError):
            _log.exception(
                "settlements are lost to this process; their holds will be swept", count=len(self._open)
            )
        return len(self._open)

    def _submit(self, item: Owed) -> None:
        self._open[item.name] = item, monotonic()
        self._idle.clear()
        self._send(item)

    def _send(self, item: Owed) -> None:
        try:
            reply = self._redis.send_script(*item.question(self._scripts, "fresh"))
        except RedisUnavailable:
            self._fail(item)
            return
        reply.add_done_callback(lambda done: self._confirmed(item, done))

    def _confirmed(self, item: Owed, reply: "asyncio.Future[int]") -> None:
        error = asyncio.CancelledError() if reply.cancelled() else reply.exception()
        if error is None:
            rest = item.after(reply.result())
            if rest is not None:
                self._submit(rest)
            else:
                self._done(item)
                self.confirmed.add(item)
            return
        if isinstance(error, RedisReplyError):
            _log.error("the settlement script failed", request_id=item.name, error=str(error))
        self._fail(item)

    def _done(self, item: Owed) -> None:
        self._open.pop(item.name, None)
        self._begun.discard(item.hold.request_id)
        self._fewer.set()
        if not self._open:
            self._idle.set()

    def _doubt(self, items: Sequence[Owed]) -> None:
        """Redis may have lost what it confirmed: it is asked again, from the disk."""
        if self._spool is None:
            for item in items:
                self._submit(item)
        elif items:
            task = asyncio.get_running_loop().create_task(self._put_in_doubt(self._spool, items))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _put_in_doubt(self, spool: Spool, items: Sequence[Owed]) -> None:
        try:
            await spool.write([owed.write(item) for item in items])
        except OSError as error:
            _log.error("what Redis confirmed last can't be asked again", reason=str(error))
            self.confirmed.add_all(items)

    def _fail(self, item: Owed) -> None:
        if item.name not in self._open:
            return  # on the disk by now
        self._failed.add(item.name)
        if self._retry is None or self._retry.done():
            self._retry = asyncio.get_running_loop().create_task(self._retry_all())

    async def _retry_all(self) -> None:
        while self._failed:
            await asyncio.sleep(_RETRY_SECONDS)
            failed, self._failed = self._failed, set()
            late = [name for name in failed if self._waits_long(name)]
            for start in range(0, len(late), _PER_WRITE):
                try:
                    await self._put_away(late[start : start + _PER_WRITE])
                except OSError:
                    break  # what is not on the disk stays here, and is tried with the rest
            for name in failed:
                if name in self._open:
                    self._send(self._open[name][0])

    def _waits_long(self, name: str) -> bool:
        waiting = self._open.get(name)
        return (
            self._spool is not None
            and waiting is not None
            and monotonic() - waiting[1] > _SPOOL_AFTER_SECONDS
        )

    async def _put_away(self, names: Sequence[str]) -> None:
        """To the disk, and out of memory once it is there. Raises OSError."""
        assert self._spool is not None
        items = [self._open[name][0] for name in names if name in self._open]
        await self._spool.write([owed.write(item) for item in items])
        for item in items:
            self._done(item)
