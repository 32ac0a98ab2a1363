"""Sees every settlement through: sent at once, sent again until Redis has confirmed it, whoever began it is gone."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from proxy.pipeline import RedisPipeline, RedisReplyError, RedisUnavailable
from proxy.quota import settlement
from proxy.quota.amounts import NOTHING, Amounts, Hold
from proxy.quota.scripts import Scripts

_RETRY_SECONDS: Final = 0.2
REMEMBER_WORK_SECONDS: Final = 86_400
"""How long finished work may be found finished again."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the settlement script is asked, as often as it takes: it counts once."""

    hold: Hold
    used: Amounts
    record: bytes
    mode: settlement.Mode
    more: tuple[bytes, ...] = ()
    remember_seconds: int | None = None

    @property
    def request_id(self) -> str:
        return self.hold.request_id


class Settler:
    """Owns all settlements that Redis has not confirmed. `submit` never waits, so nothing can skip it.

    The script recognises a settlement that it has done, so one of unknown outcome is simply asked again.
    """

    def __init__(self, redis: RedisPipeline, scripts: Scripts) -> None:
        self._redis = redis
        self._scripts = scripts
        self._open: OrderedDict[str, Settlement] = OrderedDict()
        self._failed: OrderedDict[str, Settlement] = OrderedDict()
        self._retry: asyncio.Task[None] | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def unconfirmed(self) -> int:
        return len(self._open)

    def settle(self, hold: Hold, used: Amounts, record: bytes) -> None:
        """Replaces the hold by what was used, and writes the record."""
        self._submit(Settlement(hold, used, record, "settle"))

    def settle_work(self, hold: Hold, used: Amounts, records: Sequence[bytes]) -> None:
        """As `settle`, for work that went on after its call, and may be found finished by several."""
        first, *more = records
        self._submit(Settlement(hold, used, first, "settle", tuple(more), REMEMBER_WORK_SECONDS))

    def release(self, hold: Hold) -> None:
        """Gives back a hold that may have been taken, and records nothing."""
        self._submit(Settlement(hold, NOTHING, b"", "release"))

    async def close(self, patience: float) -> int:
        """Waits up to `patience` seconds for confirmations. Returns how many settlements are still open."""
        try:
            async with asyncio.timeout(patience):
                await self._idle.wait()
        except TimeoutError:
            _log.error("settlements are not confirmed", count=len(self._open))
        if self._retry is not None:
            self._retry.cancel()
        return len(self._open)

    def _submit(self, item: Settlement) -> None:
        self._open[item.request_id] = item
        self._idle.clear()
        self._send(item)

    def _send(self, item: Settlement) -> None:
        try:
            reply = self._redis.send_script(
                self._scripts.settle,
                *settlement.settle(
                    item.hold,
                    item.used,
                    item.record,
                    item.mode,
                    more=item.more,
                    remember_seconds=item.remember_seconds,
                ),
            )
        except RedisUnavailable:
            self._fail(item)
            return
        reply.add_done_callback(lambda done: self._confirmed(item, done))

    def _confirmed(self, item: Settlement, reply: "asyncio.Future[int]") -> None:
        error = asyncio.CancelledError() if reply.cancelled() else reply.exception()
        if error is None and reply.result() > settlement.DONE_WITHOUT_HOLD:
            self._submit(replace(item, hold=item.hold._replace(period_start_ms=reply.result())))
            return
        if error is None:
            self._open.pop(item.request_id, None)
            if not self._open:
                self._idle.set()
            return
        if isinstance(error, RedisReplyError):
            _log.error("the settlement script failed", request_id=item.request_id, error=str(error))
        self._fail(item)

    def _fail(self, item: Settlement) -> None:
        self._failed[item.request_id] = item
        if self._retry is None or self._retry.done():
            self._retry = asyncio.get_running_loop().create_task(self._retry_all())

    async def _retry_all(self) -> None:
        while self._failed:
            await asyncio.sleep(_RETRY_SECONDS)
            if not self._redis.available:
                continue
            failed, self._failed = self._failed, OrderedDict()
            for item in failed.values():
                self._send(item)
