"""The calls that run now: their holds are renewed, and those whose client takes nothing are ended."""

import asyncio
import math
from time import monotonic
from typing import Final, Protocol

import structlog

from proxy.identity.principal import Principal
from proxy.pipeline import Argument, RedisPipeline, RedisReplyError, RedisUnavailable
from proxy.quota import settlement
from proxy.quota.admission import Admitted
from proxy.quota.scripts import Scripts
from proxy.ticket import Ticket

_TICK_SECONDS: Final = 1.0
CLIENT_STALL_SECONDS: Final = 120.0
"""How long a client may take none of what waits for it."""

_log = structlog.get_logger(__name__)


class RunningCall(Protocol):
    """What the watch needs of a call."""

    ticket: Ticket
    admitted: Admitted

    @property
    def request_id(self) -> str: ...
    @property
    def principal(self) -> Principal: ...
    @property
    def delivered_tokens(self) -> int: ...
    @property
    def stalled_since(self) -> float | None: ...
    def hold_lost(self) -> None: ...
    def client_left(self) -> None: ...


class Running:
    """One watch over all calls of a process, instead of timers in each.

    Every hold is renewed three times in its time to live, with what was delivered so far, and whenever Redis was away:
    one that it has lost meanwhile is taken again.
    """

    def __init__(
        self,
        redis: RedisPipeline,
        scripts: Scripts,
        ttl_ms: int,
        stall_seconds: float = CLIENT_STALL_SECONDS,
    ) -> None:
        self._redis = redis
        self._scripts = scripts
        self._ttl_ms = ttl_ms
        self._stall_seconds = stall_seconds
        self._renew_every = ttl_ms / 3000
        self._calls: dict[RunningCall, tuple[float, asyncio.Task[None] | None]] = {}
        redis.on_connect.append(self._renew_all)

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call: RunningCall, *, alone: bool = True) -> None:
        """`call` runs in the present task, which is cancelled where its client takes nothing, unless it does not run
        there `alone`: then `client_left` must end it."""
        self._calls[call] = (monotonic(), asyncio.current_task() if alone else None)

    def remove(self, call: RunningCall) -> None:
        self._calls.pop(call, None)

    async def watch(self) -> None:
        """Runs until cancelled."""
        tick = min(_TICK_SECONDS, self._renew_every / 2)
        while True:
            await asyncio.sleep(tick)
            now = monotonic()
            for call, (renewed_at, task) in list(self._calls.items()):
                stalled = call.stalled_since
                if stalled is not None and now - stalled > self._stall_seconds:
                    call.client_left()
                    if task is not None:
                        task.cancel()
                elif now - renewed_at >= self._renew_every:
                    self._renew(call, task)

    async def retake(self, partitions: frozenset[int]) -> None:
        """What runs in these partitions has its hold when this returns. Raises RedisUnavailable, RedisReplyError."""
        calls = [call for call in self._calls if call.principal.partition in partitions]
        await asyncio.gather(
            *[self._redis.send_script(self._scripts.restore, *self._lost(call)) for call in calls]
        )

    def _renew_all(self) -> None:
        for call, (_, task) in list(self._calls.items()):
            self._renew(call, task)

    def _renew(self, call: RunningCall, task: asyncio.Task[None] | None) -> None:
        names, arguments = settlement.renew(
            call.principal.partition, call.request_id, self._ttl_ms, call.delivered_tokens
        )
        try:
            reply = self._redis.send_script(self._scripts.renew, names, arguments)
        except RedisUnavailable:
            return  # the next tick tries again
        self._calls[call] = (monotonic(), task)
        reply.add_done_callback(lambda done: self._renewed(call, task, done))

    def _renewed(
        self, call: RunningCall, task: asyncio.Task[None] | None, reply: "asyncio.Future[object]"
    ) -> None:
        if reply.cancelled() or call not in self._calls:
            return
        error = reply.exception()
        if error is not None:
            self._calls[call] = (-math.inf, task)
        if isinstance(error, RedisReplyError):
            _log.error("the renewal script failed", error=str(error))
        elif error is None and reply.result() == settlement.HOLD_SWEPT:
            _log.warning("a running request lost its hold and is ended", request_id=call.request_id)
            call.hold_lost()
        elif error is None and reply.result() == settlement.HOLD_UNKNOWN:
            self._restore(call, task)

    def _restore(self, call: RunningCall, task: asyncio.Task[None] | None) -> None:
        try:
            reply = self._redis.send_script(self._scripts.restore, *self._lost(call))
        except RedisUnavailable:
            self._calls[call] = (-math.inf, task)
            return
        reply.add_done_callback(lambda done: self._restored(call, task, done))

    def _lost(self, call: RunningCall) -> tuple[list[str], list[Argument]]:
        """The question that takes its hold again, unless it has one."""
        ticket, admitted = call.ticket, call.admitted
        demand = ticket.offer.demand
        return settlement.restore(
            ticket.hold(admitted.period_start_ms),
            demand.amounts(admitted.output),
            at_ms=admitted.at_ms,
            paced=demand.paced,
            ttl_ms=self._ttl_ms,
            delivered=call.delivered_tokens,
            what=ticket.draft(spoken=ticket.asked.endpoint.name == "realtime"),
        )

    def _restored(
        self, call: RunningCall, task: asyncio.Task[None] | None, reply: "asyncio.Future[object]"
    ) -> None:
        if reply.cancelled() or (error := reply.exception()) is None:
            return
        _log.warning("a hold that Redis lost is not taken again yet", reason=str(error)[:200])
        if call in self._calls:
            self._calls[call] = (-math.inf, task)
