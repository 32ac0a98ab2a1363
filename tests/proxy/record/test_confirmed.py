"""What Redis has confirmed is kept until it is in the ledger, and is there to be told again."""

from collections.abc import AsyncIterator

import pytest

from proxy.pipeline import RedisPipeline
from proxy.quota import keys
from proxy.quota.amounts import NOTHING, Hold
from proxy.record.confirmed import MOST, Confirmed
from proxy.record.owed import Settlement

PARTITION, OTHER = 3, 4


class Stage:
    """Redis as it is after settlements: each has its entry in the stream."""

    def __init__(self, redis: RedisPipeline) -> None:
        self.now = 0.0
        self.redis = redis
        self.confirmed = Confirmed(redis, lambda: self.now)

    async def settled(self, name: str, partition: int = PARTITION) -> bytes:
        entry: bytes = await self.redis.execute("XADD", keys.stream(partition), "*", "d", name)
        self.confirmed.add(item(name, partition))
        return entry

    async def drained(self, entry: bytes) -> None:
        await self.redis.execute("XDEL", keys.stream(PARTITION), entry)

    async def seconds_pass(self, count: int = 10) -> None:
        for _ in range(count):
            self.now += 1
            await self.confirmed.look()

    def left(self) -> list[str]:
        return [each.name for each in self.confirmed.take_all(frozenset({PARTITION}))]


def item(name: str, partition: int = PARTITION) -> Settlement:
    return Settlement(Hold(partition, name, (), 0), NOTHING, b"", "settle")


@pytest.fixture
async def stage(redis_url: str) -> AsyncIterator[Stage]:
    async with RedisPipeline.opened(redis_url, timeout=5) as redis:
        for partition in (PARTITION, OTHER):
            await redis.execute("HSET", keys.epoch(partition), "at", 1)
        yield Stage(redis)


async def test_what_is_in_the_ledger_is_forgotten_after_a_moment(stage: Stage) -> None:
    first = await stage.settled("one")
    await stage.settled("two")
    await stage.seconds_pass(1)
    await stage.drained(first)
    third = await stage.settled("three")
    await stage.drained(third)
    await stage.seconds_pass(3)
    assert len(stage.confirmed) == 3
    await stage.seconds_pass()
    # The first came with the second, which is still there; the third came later, and something before it waits.
    assert stage.left() == ["one", "two", "three"]


async def test_what_waits_for_the_ledger_is_kept_however_long(stage: Stage) -> None:
    entries = [await stage.settled(name) for name in ("one", "two")]
    await stage.seconds_pass(600)
    assert len(stage.confirmed) == 2
    for entry in entries:
        await stage.drained(entry)
    await stage.seconds_pass(1)
    assert stage.left() == []
    assert len(stage.confirmed) == 0


async def test_what_redis_lost_is_not_taken_for_drained(stage: Stage) -> None:
    await stage.settled("one")
    await stage.seconds_pass(1)
    await stage.redis.execute("FLUSHDB")
    await stage.seconds_pass()
    await stage.redis.execute("HSET", keys.epoch(PARTITION), "at", 2)
    await stage.redis.execute("XGROUP", "CREATE", keys.stream(PARTITION), "drain", "0", "MKSTREAM")
    await stage.seconds_pass()
    assert stage.left() == ["one"]


async def test_only_what_is_lost_is_taken(stage: Stage) -> None:
    await stage.settled("one")
    await stage.settled("other", OTHER)
    assert stage.left() == ["one"]
    assert len(stage.confirmed) == 1


async def test_what_is_recent_may_be_lost_with_the_last_moments(stage: Stage) -> None:
    await stage.settled("old")
    await stage.seconds_pass()
    await stage.settled("new")
    assert [each.name for each in stage.confirmed.take_recent()] == ["new"]
    assert stage.left() == ["old"]


async def test_no_more_is_kept_than_fits(stage: Stage) -> None:
    for number in range(MOST + 3):
        if number == 2:
            await stage.seconds_pass(1)
        stage.confirmed.add(item(f"{number}"))
    assert len(stage.confirmed) == MOST
    assert stage.left()[0] == "3"
