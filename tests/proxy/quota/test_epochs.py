"""After Redis lost its data: closed until each proxy has brought back what it knows, or could not hold it any more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from ledger.database import Pool, close_pool, open_pool
from ledger.migrations import migrate
from ledger.partitions import PARTITIONS
from proxy.pipeline import RedisPipeline, RedisUnavailable
from proxy.quota import keys
from proxy.quota.epochs import Epochs
from proxy.quota.roll import Roll

ALL = frozenset(range(PARTITIONS))
HOLD_MS = 600_000


class Proxy:
    """What it was asked to take again, partition by partition."""

    def __init__(self, redis: RedisPipeline, pool: Pool, hold_ms: int) -> None:
        self.redis = redis
        self.roll = Roll(pool, timedelta(milliseconds=hold_ms))
        self.epochs = Epochs(redis, self.roll, self, hold_ms)
        self.retaken: list[frozenset[int]] = []
        self.seen = 0
        self.can = True

    async def opened(self, partitions: frozenset[int]) -> None:
        self.seen += len(partitions)

    async def bring_back(self, partitions: frozenset[int]) -> None:
        if not self.can:
            raise RedisUnavailable("not now")
        self.retaken.append(partitions)


class Stage:
    def __init__(self, redis_url: str, pool: Pool, stack: AsyncExitStack) -> None:
        self.redis_url = redis_url
        self.pool = pool
        self.stack = stack

    async def proxy(self, hold_ms: int = HOLD_MS) -> Proxy:
        """On the roll."""
        redis = await self.stack.enter_async_context(RedisPipeline.opened(self.redis_url, timeout=5))
        made = Proxy(redis, self.pool, hold_ms)
        await made.roll.say()
        return made


@pytest.fixture
async def stage(redis_url: str, empty_database_url: str) -> AsyncIterator[Stage]:
    await migrate(empty_database_url)
    pool = await open_pool(empty_database_url, size=2)
    async with AsyncExitStack() as stack:
        yield Stage(redis_url, pool, stack)
    await close_pool(pool)


async def test_it_opens_once_every_proxy_has_brought_back_what_it_knows(stage: Stage) -> None:
    one, two, three = [await stage.proxy() for _ in range(3)]
    assert await one.epochs.once() == ALL
    assert await two.epochs.once() == ALL
    assert await one.epochs.once() == ALL
    assert await three.epochs.once() == frozenset()
    assert await one.epochs.once() == await two.epochs.once() == frozenset()
    # Each once, before it said so; and what came between that and the opening is seen to then.
    assert [(each.retaken, each.seen) for each in (one, two, three)] == [([ALL], 64)] * 3


async def test_who_cannot_bring_it_back_now_is_waited_for(stage: Stage) -> None:
    one, two = await stage.proxy(), await stage.proxy()
    two.can = False
    assert await one.epochs.once() == ALL
    with pytest.raises(RedisUnavailable):
        await two.epochs.once()
    assert await one.epochs.once() == ALL
    two.can = True
    assert await two.epochs.once() == frozenset()


async def test_the_missing_are_waited_for_as_long_as_their_holds_would_live(stage: Stage) -> None:
    one = await stage.proxy(400)
    await stage.pool.execute("insert into proxy_process (name) values ('one that was killed')")
    began = asyncio.get_running_loop().time()
    while await one.epochs.once():
        await asyncio.sleep(0.02)
    assert 0.4 <= asyncio.get_running_loop().time() - began < 5


async def test_who_left_is_not_waited_for(stage: Stage) -> None:
    one, two = await stage.proxy(), await stage.proxy()
    await two.roll.leave()
    assert await one.epochs.once() == frozenset()


async def test_what_is_lost_again_is_brought_back_again(stage: Stage) -> None:
    one, two = await stage.proxy(), await stage.proxy()
    assert await one.epochs.once() == ALL
    await one.redis.execute("FLUSHDB")
    # What one said is lost with the rest.
    assert await two.epochs.once() == ALL
    assert await one.epochs.once() == frozenset()
    assert one.retaken == [ALL, ALL]


async def test_of_a_part_that_was_lost_no_other_is_closed(stage: Stage) -> None:
    one, two = await stage.proxy(), await stage.proxy()
    for each in (one, two, one):
        await each.epochs.once()
    await one.redis.execute("DEL", keys.epoch(5))
    assert await one.epochs.once() == {5}
    assert await two.epochs.once() == frozenset()
    assert one.retaken[-1] == two.retaken[-1] == {5}


async def test_who_waits_for_it_is_woken_when_it_is_open_and_not_before(stage: Stage) -> None:
    one, two = await stage.proxy(), await stage.proxy()
    running = asyncio.create_task(one.epochs.run())
    waiting = asyncio.create_task(one.epochs.opened(7))
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done
    await two.epochs.once()
    await asyncio.wait_for(waiting, 5)
    running.cancel()
