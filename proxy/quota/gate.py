"""Asks the admission script, and answers what it needs to know first: the right period, counters that are there."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from time import monotonic
from typing import Final

import structlog

from ledger.database import DatabaseUnavailable
from ledger.periods import Period, month_of
from proxy.errors import Refusal, unavailable
from proxy.identity.principal import Principal
from proxy.pipeline import RedisPipeline, RedisReplyError, RedisUnavailable
from proxy.quota import keys, settlement
from proxy.quota.admission import (
    Admitted,
    Closed,
    OtherPeriod,
    Refused,
    TooLate,
    Uncounted,
    Unseeded,
    answer,
    question,
    redis_time,
)
from proxy.quota.allowance import Allowance
from proxy.quota.amounts import NOTHING, Demand, Hold
from proxy.quota.calendar import calendar_of
from proxy.quota.clock import RedisClock, instant, milliseconds
from proxy.quota.limits import Scope
from proxy.quota.scopes import Scopes
from proxy.quota.scripts import Scripts
from proxy.quota.sums import Used

_ATTEMPTS: Final = 4
_KEEP_AFTER_PERIOD_S: Final = 40 * 86_400
"""Counters outlive their period by this, so that late settlements still find them."""

_WRITE_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)

Sums = Callable[[str, Scope, Period, str, Sequence[str], datetime], Awaitable[Used]]
"""What the ledger knows of a scope in a period: (organization, scope, period, currency, requests left out, now)."""

Begin = Callable[[Hold, int, bytes], Awaitable[bool]]
"""Makes durable that this was let on at that time, in ms, with its draft; False where nothing durable is there.
Raises OSError."""

Count = Callable[[str], Awaitable[None]]
"""Counts anew what an organization keeps upstream."""

Opened = Callable[[int], Awaitable[None]]
"""Returns once all that Redis had lost of a partition is back."""


class LimitsUnknown(Exception):
    """The limits can't be checked. `maybe_held`: Redis may have written the hold all the same."""

    def __init__(self, *, maybe_held: bool = False) -> None:
        super().__init__("the limits can't be checked")
        self.maybe_held = maybe_held

    def refusal(self) -> Refusal:
        return unavailable(
            "The limits of this organization cannot be checked right now. Try again.", "limits_unavailable"
        )


class Gate:
    """Admission of one request after another.

    `patience` (seconds) bounds the wait for Redis; a question that Redis comes to later writes nothing.
    """

    def __init__(
        self,
        redis: RedisPipeline,
        scripts: Scripts,
        clock: RedisClock,
        used: Sums,
        *,
        ttl_ms: int,
        patience: float,
        full: Callable[[], bool],
        allowance: Allowance,
        begin: Begin,
        count: Count,
        opened: Opened,
    ) -> None:
        """`full`: so much waits for Redis that nothing more may be begun. `allowance` is for plans that go on without
        Redis, `begin` writes down what is let on so."""
        self._redis = redis
        self._scripts = scripts
        self._clock = clock
        self._used = used
        self._ttl_ms = ttl_ms
        self._patience_ms = int(patience * 1000)
        self._full = full
        self._allowance = allowance
        self._begin = begin
        self._count = count
        self._opened = opened

    async def admit(
        self, principal: Principal, scopes: Scopes, request_id: str, demand: Demand, what: bytes
    ) -> Admitted | Refused:
        """Takes the hold, or says which limit refuses.

        Raises LimitsUnknown. A cancelled question may have been written, too. While Redis can't be asked, a plan may
        allow what its Redis does not know of; a hold that was written all the same is settled as any other.
        """
        if self._full():
            raise LimitsUnknown
        # What is kept upstream is nobody's to guess.
        bounded = principal.terms.bounded_without_redis and demand.stores is None
        try:
            verdict = await self._judge(principal, scopes, request_id, demand, what)
        except LimitsUnknown as unknown:
            let_on = await self._let_on(principal, scopes, request_id, demand, what) if bounded else None
            if let_on is None:
                raise unknown from None
            return let_on
        if bounded and isinstance(verdict, Admitted):
            self._allowance.saw(scopes, verdict)
        return verdict

    async def _let_on(
        self, principal: Principal, scopes: Scopes, request_id: str, demand: Demand, what: bytes
    ) -> Admitted | None:
        """Within the allowance, once the disk tells of it."""
        if not self._clock.known:
            return None
        now = self._clock.now_ms(principal.partition)
        start = calendar_of(principal.time_zone).around(now).start
        admitted = self._allowance.grant(request_id, scopes, demand, now, start)
        if admitted is None:
            return None
        hold = Hold(principal.partition, request_id, scopes.ids, start)
        written = False
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                written = await self._begin(hold, now, what)
        except (OSError, TimeoutError) as error:
            _log.warning("a request can't be let on: the disk does not take it", error=type(error).__name__)
        finally:
            if not written:
                self._allowance.ended(request_id, NOTHING)
        return admitted if written else None

    async def _judge(
        self, principal: Principal, scopes: Scopes, request_id: str, demand: Demand, what: bytes
    ) -> Admitted | Refused:
        waits_until = monotonic() + self._patience_ms / 1000
        for _ in range(_ATTEMPTS):
            reply = await self._ask(principal, scopes, request_id, demand, what)
            self._clock.saw(redis_time(reply), principal.partition)
            match answer(reply, scopes):
                case Admitted() | Refused() as verdict:
                    return verdict
                case Unseeded(period_start_ms):
                    await self._seed(principal, scopes, period_start_ms)
                case Uncounted():
                    await self._count_storage(principal.organization_id)
                case Closed():
                    await self._wait(principal.partition, waits_until)
                case OtherPeriod() | TooLate():
                    pass
        raise LimitsUnknown

    async def _ask(
        self, principal: Principal, scopes: Scopes, request_id: str, demand: Demand, what: bytes
    ) -> list[object]:
        try:
            if not self._clock.known:
                await self._look_at_the_clock()
            now = self._clock.now_ms(principal.partition)
            span = calendar_of(principal.time_zone).around(now)
            names, arguments = question(
                principal.partition,
                request_id,
                scopes,
                span,
                demand,
                latest_ms=now + self._patience_ms,
                ttl_ms=self._ttl_ms,
                what=what,
            )
            # What can't be sent is not held: only an answer that stays away leaves a doubt.
            asked = self._redis.send_script(self._scripts.admit, names, arguments)
        except (RedisUnavailable, RedisReplyError):
            raise LimitsUnknown from None
        try:
            reply = await asked
        except RedisReplyError as error:
            _log.error("the admission script failed", error=str(error))
            raise LimitsUnknown from None
        except RedisUnavailable:
            raise LimitsUnknown(maybe_held=True) from None
        assert isinstance(reply, list), "the admission script answers with an array"
        return reply

    async def _wait(self, partition: int, until: float) -> None:
        """For what Redis has lost, until that monotonic time."""
        try:
            async with asyncio.timeout(until - monotonic()):
                await self._opened(partition)
        except TimeoutError:
            raise LimitsUnknown from None

    async def _count_storage(self, organization_id: str) -> None:
        try:
            await self._count(organization_id)
        except (RedisUnavailable, RedisReplyError, DatabaseUnavailable) as error:
            _log.warning("what is kept upstream can't be counted", error=type(error).__name__)
            raise LimitsUnknown from None

    async def _look_at_the_clock(self) -> None:
        seconds, microseconds = await self._redis.send("TIME")
        self._clock.saw(int(seconds) * 1000 + int(microseconds) // 1000)

    async def _seed(self, principal: Principal, scopes: Scopes, period_start_ms: int) -> None:
        """Writes the counters of a period from the ledger, for each scope."""
        period = month_of(instant(period_start_ms), principal.time_zone)
        currency = principal.terms.tariff.currency
        expire_at = milliseconds(period.end) // 1000 + _KEEP_AFTER_PERIOD_S
        try:
            for scope in scopes:
                name = keys.period(principal.partition, scope.id, period_start_ms)
                for _ in range(_ATTEMPTS):
                    there = settlement.settled_there(await self._redis.send("HKEYS", name))
                    now = instant(self._clock.now_ms(principal.partition))
                    used = await self._used(principal.organization_id, scope, period, currency, there, now)
                    asked = settlement.seed(
                        *(principal.partition, scope.id, period_start_ms, used.period, expire_at),
                        *(len(there), used.minute),
                    )
                    if await self._redis.send_script(self._scripts.seed, *asked) != settlement.SEEDED_LESS:
                        break
        except (RedisUnavailable, RedisReplyError, DatabaseUnavailable) as error:
            _log.warning("counters can't be rebuilt from the ledger", error=type(error).__name__)
            raise LimitsUnknown from None
