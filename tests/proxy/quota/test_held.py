"""A hold is read whole or not at all, also while it is being settled."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from ledger.partitions import partition_of
from proxy.quota import keys
from proxy.quota.held import read_hold
from proxy.quota.view import read_holds


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


async def test_a_hold_has_its_fields(redis: Redis) -> None:
    await redis.hset(keys.hold(7, "one"), mapping={"start": 5, "what": b"{}"})
    assert await read_hold(redis, 7, "one") == {"start": b"5", "what": b"{}"}


async def test_the_memory_of_a_settlement_is_no_hold(redis: Redis) -> None:
    await redis.set(keys.hold(7, "settled"), "settle")
    assert await read_hold(redis, 7, "settled") is None
    assert await read_hold(redis, 7, "never") is None


async def test_another_error_of_redis_is_not_taken_for_a_settlement(redis: Redis) -> None:
    await redis.execute_command("ACL", "SETUSER", "blind", "on", ">x", "~*", "-@all", "+client")  # type: ignore[no-untyped-call]
    connection = redis.connection_pool.connection_kwargs | {"username": "blind", "password": "x"}
    blind = Redis(unix_socket_path=connection["path"], username="blind", password="x")
    try:
        with pytest.raises(ResponseError):
            await read_hold(blind, 7, "one")
    finally:
        await blind.aclose()
        await redis.execute_command("ACL", "DELUSER", "blind")  # type: ignore[no-untyped-call]


async def test_a_hold_that_was_settled_while_they_were_listed_is_left_out(redis: Redis) -> None:
    partition = partition_of("org_1")
    await redis.zadd(keys.holds(partition), {"gone": 10**13})
    await redis.set(keys.hold(partition, "gone"), "settle")
    assert await read_holds(redis, "org_1") == []
