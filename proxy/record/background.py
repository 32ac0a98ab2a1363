"""Answers that are worked on in the background: charged once, when they are first seen finished.

The hold of the call that began one stays, for as long as such an answer may take; whoever sees the answer finished
settles that hold. If nobody ever looks, the sweep charges all that was held.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from ledger.usage import Usage
from proxy.identity.principal import Principal
from proxy.pipeline import RedisPipeline, RedisReplyError, RedisUnavailable
from proxy.quota import keys, settlement
from proxy.quota.amounts import Hold
from proxy.quota.scripts import Scripts
from proxy.record import draft, form
from proxy.record.money import Money
from proxy.record.settler import Settler

LIFE_SECONDS: Final = 2 * 3600
"""How long an answer may be worked on, and be looked for, before all that was held is charged."""

_log = structlog.get_logger(__name__)


class Background:
    """Owns the look-ups that its calls begin; none is waited for by a request."""

    def __init__(self, redis: RedisPipeline, scripts: Scripts, settler: Settler) -> None:
        self._redis = redis
        self._scripts = scripts
        self._settler = settler
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, hold: Hold, answer_id: str, granted: int) -> bool:
        """The hold stays for the answer `answer_id`, which may come to `granted` output tokens. False when Redis
        can't be told: then the call is settled like any other."""
        name = keys.background(hold.partition, answer_id)
        try:
            renewed = self._redis.send_script(
                self._scripts.renew,
                *settlement.renew(hold.partition, hold.request_id, LIFE_SECONDS * 1000, granted),
            )
            known = self._redis.send("SET", name, hold.request_id, "EX", LIFE_SECONDS)
        except RedisUnavailable:
            return False
        for reply in (renewed, known):
            reply.add_done_callback(_look)
        return True

    def finish(
        self, principal: Principal, answer_id: str, usage: Usage, money: Callable[[str, Usage], Money]
    ) -> None:
        """The answer was seen finished. `money` prices a usage of a model."""
        task = asyncio.get_running_loop().create_task(self._finish(principal, answer_id, usage, money))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, patience: float) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)

    async def _finish(
        self, principal: Principal, answer_id: str, usage: Usage, money: Callable[[str, Usage], Money]
    ) -> None:
        partition = principal.partition
        try:
            begun = await self._redis.send("GET", keys.background(partition, answer_id))
            if begun is None:
                return
            request_id = begun.decode()
            name = keys.hold(partition, request_id)
            what, start, at = await self._redis.send("HMGET", name, "what", "start", "at")
            if what is None:
                return
            seconds, _ = await self._redis.send("TIME")
            made = draft.read(what)
            if made.record.organization_id != principal.organization_id:
                return
            record, used = draft.finished(
                made,
                at_ms=int(at),
                now_ms=int(seconds) * 1000,
                usage=usage,
                money=money(made.record.model, usage),
            )
            self._settler.settle(
                Hold(partition, request_id, made.scopes, int(start)), used, form.write(record)
            )
        except (RedisUnavailable, RedisReplyError, form.UnreadableRecord) as error:
            # The next look at the answer tries again; without one, the hold says what is charged.
            _log.warning("a background answer is not settled yet", reason=type(error).__name__)


def _look(reply: "asyncio.Future[object]") -> None:
    if not reply.cancelled() and (error := reply.exception()) is not None:
        _log.warning("a background answer could not be noted", reason=type(error).__name__)
