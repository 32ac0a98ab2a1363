"""A hold is read whole or not at all, also while it is being settled."""

from collections.abc import AsyncIterator

import pytest

from ledger.partitions import partition_of
from proxy.pipeline import RedisPipeline, RedisReplyError
from proxy.quota import keys
from proxy.quota.held import read_hold
from proxy.quota.view import read_holds


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisPipeline]:
    async with RedisPipeline.opened(redis_url, timeout=5) as made:
        yield made


async def test_a_hold_has_its_fields(redis: RedisPipeline) -> None:
    await redis.execute("HSET", keys.hold(7, "one"), "start", 5, "what", b"{}")
    assert await read_hold(redis, 7, "one") == {"start": b"5", "what": b"{}"}


async def test_the_memory_of_a_settlement_is_no_hold(redis: RedisPipeline) -> None:
    await redis.execute("SET", keys.hold(7, "settled"), "settle")
    assert await read_hold(redis, 7, "settled") is None
    assert await read_hold(redis, 7, "never") is None


async def test_another_error_of_redis_is_not_taken_for_a_settlement(
    redis: RedisPipeline, redis_url: str
) -> None:
    allowed = ("-@all", "+auth", "+select", "+ping")
    await redis.execute("ACL", "SETUSER", "blind", "on", ">x", "~*", *allowed)
    try:
        async with RedisPipeline.opened(redis_url.replace("unix://", "unix://blind:x@"), timeout=5) as blind:
            with pytest.raises(RedisReplyError, match="NOPERM"):
                await read_hold(blind, 7, "one")
    finally:
        await redis.execute("ACL", "DELUSER", "blind")


async def test_a_hold_that_was_settled_while_they_were_listed_is_left_out(redis: RedisPipeline) -> None:
    partition = partition_of("org_1")
    await redis.execute("ZADD", keys.holds(partition), 10**13, "gone")
    await redis.execute("SET", keys.hold(partition, "gone"), "settle")
    assert await read_holds(redis, "org_1") == []
