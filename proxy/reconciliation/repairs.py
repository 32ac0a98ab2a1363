"""The job: looks at every organization, and mends the counters that differ from what they were counted from."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

import structlog

from config.settings import Settings
from ledger import audit, organizations
from ledger.database import Pool, reading, transaction
from ledger.organizations import Organization
from ledger.pages import Position, Slice
from ledger.periods import month_of
from ledger.records import rfc3339
from proxy.pipeline import RedisPipeline, RedisReplyError, RedisUnavailable
from proxy.quota import keys
from proxy.quota.clock import milliseconds
from proxy.quota.scripts import source
from proxy.reconciliation.account import Account, account_of
from proxy.reconciliation.comparison import NAMES, Comparison, compare, standing
from proxy.reconciliation.looks import Looks
from proxy.storage.counting import Counting

ACTOR: Final = "reconcile"
_AT_ONCE: Final = 100
_REDIS_SECONDS: Final = 10.0
_TICK: Final = timedelta(microseconds=1)

_log = structlog.get_logger(__name__)


async def reconcile(looks: Looks, account: Account) -> list[Comparison]:
    """What the counters and their sources say; a difference is one that stands in two looks."""
    first = compare(await looks.look(account))
    if not any(each.differs for each in first):
        return first
    return standing(first, compare(await looks.look(account)))


class Repairs:
    """Mends what differs. Done again it finds nothing to do."""

    def __init__(self, redis: RedisPipeline) -> None:
        self._redis = redis
        self._mend = redis.script(source("mend"))

    async def run(self, pool: Pool, at: datetime) -> int:
        """All organizations; gives how many were compared.

        Raises DatabaseUnavailable; what Redis does not tell of one is left for the next time.
        """
        compared = 0
        async for organization in _all(pool):
            try:
                await self.look_after(pool, organization, at)
                compared += 1
            except (RedisUnavailable, RedisReplyError) as error:
                _log.warning(
                    "counters could not be compared",
                    organization_id=organization.id,
                    reason=f"{type(error).__name__}: {error}"[:200],
                )
        await self._redis.execute("HSET", keys.RECONCILED, "at", int(at.timestamp()))
        return compared

    async def look_after(self, pool: Pool, organization: Organization, at: datetime) -> None:
        """One, in its period around `at` and in the one before, which late settlements still reach."""
        for moment in (at, month_of(at, organization.time_zone).start - _TICK):
            async with reading(pool) as connection:
                account = await account_of(connection, organization, moment)
            if account is not None:
                await self._mend_all(pool, account, await reconcile(Looks(self._redis, pool), account))
        counting = Counting(self._redis, pool, lambda: at)
        count = await counting.look(organization.id)
        # Deletions and what expires are only taken off by a count, so nothing of this need be drift.
        if count.kept != count.counted:
            await counting.count(organization.id)

    async def _mend_all(self, pool: Pool, account: Account, found: Sequence[Comparison]) -> None:
        for scope, measures in groupby(found, lambda each: each.scope):
            compared = list(measures)
            if any(each.differs for each in compared):
                await self._mend_one(pool, account, scope, compared)

    async def _mend_one(self, pool: Pool, account: Account, scope: str, found: Sequence[Comparison]) -> None:
        partition, start = account.partition, milliseconds(account.period.start)
        names = [keys.live(partition, scope), keys.period(partition, scope, start)]
        changes = _changes(found)
        seen = next(each.counters for each in found if each.measure == "r")
        arguments = [seen, *(part for counter, change, _ in changes for part in (counter, change))]
        # Open before the counters change: what can't be written down is not done.
        async with transaction(pool) as connection:
            told = await self._redis.send_script(self._mend, names, arguments)
            values = [int(value) for value in told]
            if not values:
                return
            mended = {
                word: {"before": before, "after": after}
                for (_, _, word), before, after in zip(changes, values[::2], values[1::2], strict=True)
            }
            _log.warning(
                "counters were mended", organization_id=account.organization_id, scope=scope, counters=mended
            )
            detail = {"scope": scope, "period_start": rfc3339(account.period.start), "counters": mended}
            await audit.write(connection, ACTOR, "counters.mend", account.organization_id, detail)
        await self._redis.execute("HINCRBY", keys.RECONCILED, "mended", len(mended))


def _changes(found: Sequence[Comparison]) -> list[tuple[str, int, str]]:
    """Counters in Redis, what to add to each, and what people call them."""
    used = [(each.measure, -each.difference, NAMES[each.measure]) for each in found if each.difference]
    held = [
        (
            "c" if each.measure == "c" else "h" + each.measure,
            -each.held_difference,
            "held_" + NAMES[each.measure],
        )
        for each in found
        if each.held_difference
    ]
    return [*used, *held]


async def _all(pool: Pool) -> AsyncIterator[Organization]:
    part = Slice(_AT_ONCE)
    while True:
        async with reading(pool) as connection:
            page = await organizations.listing(connection, part)
        for organization in page:
            yield organization
        if len(page) < _AT_ONCE:
            return
        part = Slice(_AT_ONCE, Position(page[-1].created_at, page[-1].id))


@asynccontextmanager
async def repairing(settings: Settings) -> AsyncIterator[Repairs]:
    """On a connection of its own."""
    assert settings.stores.redis_url is not None
    url = settings.stores.redis_url.get_secret_value()
    async with RedisPipeline.opened(url, timeout=_REDIS_SECONDS) as redis:
        yield Repairs(redis)
