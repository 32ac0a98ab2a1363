"""Settlements are seen through: whatever the reply, a hold ends once, where it was booked."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from ledger.limits import Limits
from proxy.pipeline import RedisPipeline
from proxy.quota import keys, settlement
from proxy.quota.admission import Admitted, Answer, TooLate, answer, question
from proxy.quota.amounts import NOTHING, Amounts, Demand, Hold
from proxy.quota.calendar import Span
from proxy.quota.limits import Scope
from proxy.quota.scopes import Scopes
from proxy.quota.scripts import Scripts
from proxy.record.settler import Settler
from tests.epochs import open_all

PARTITION = 3
SCOPE = Scope.of("o:one", Limits(tokens_per_month=1000, concurrent_requests=2))
# Redis' present lies in the second of the two.
TURNED = Span(1000, 2000, 10**14)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisPipeline]:
    pipeline = RedisPipeline(redis_url, timeout=5)
    await pipeline.connect()
    await open_all(pipeline)
    yield pipeline
    await pipeline.close()


@pytest.fixture
def scripts(redis: RedisPipeline) -> Scripts:
    return Scripts(redis)


async def admit(redis: RedisPipeline, scripts: Scripts, request_id: str) -> Answer:
    seed = settlement.seed(PARTITION, SCOPE.id, TURNED.turn, NOTHING, 10**11)
    await redis.send_script(scripts.seed, *seed)
    asked = question(
        PARTITION, request_id, Scopes((SCOPE,)), TURNED, Demand(30, 7, 20, 20, 1),
        latest_ms=0, ttl_ms=60_000, what=b"{}",
    )  # fmt: skip
    return answer(await redis.send_script(scripts.admit, *asked), (SCOPE,))


async def numbers(redis: RedisPipeline, key: str) -> dict[str, int]:
    raw = await redis.execute("HGETALL", key)
    return {name.decode(): int(value) for name, value in zip(raw[::2], raw[1::2], strict=True)}


def hold(request_id: str, start: int) -> Hold:
    return Hold(PARTITION, request_id, (SCOPE.id,), start)


@pytest.mark.parametrize("believed", [0, TURNED.start, TURNED.turn])
async def test_a_hold_is_released_in_the_period_that_it_was_booked_in(
    redis: RedisPipeline, scripts: Scripts, believed: int
) -> None:
    admitted = await admit(redis, scripts, "one")
    assert isinstance(admitted, Admitted)
    assert admitted.period_start_ms == TURNED.turn
    settler = Settler(redis, scripts)
    settler.release(hold("one", believed))
    assert await settler.close(5) == 0
    booked = await numbers(redis, keys.period(PARTITION, SCOPE.id, TURNED.turn))
    assert {name: booked[name] for name in ("hr", "ht", "hm", "t")} == {"hr": 0, "ht": 0, "hm": 0, "t": 0}
    assert (await numbers(redis, keys.live(PARTITION, SCOPE.id)))["c"] == 0
    assert await redis.execute("ZCARD", keys.holds(PARTITION)) == 0
    if believed != TURNED.turn:
        assert await redis.execute("EXISTS", keys.period(PARTITION, SCOPE.id, believed)) == 0


async def test_a_settlement_is_counted_in_the_period_that_it_was_booked_in(
    redis: RedisPipeline, scripts: Scripts
) -> None:
    await admit(redis, scripts, "one")
    settler = Settler(redis, scripts)
    settler.settle(hold("one", TURNED.start), Amounts(1, 42, 9), b"record")
    assert await settler.close(5) == 0
    booked = await numbers(redis, keys.period(PARTITION, SCOPE.id, TURNED.turn))
    assert (booked["t"], booked["ht"]) == (42, 0)
    assert await redis.execute("XLEN", keys.stream(PARTITION)) == 1


async def test_an_admission_that_comes_after_its_release_takes_no_hold(
    redis: RedisPipeline, scripts: Scripts
) -> None:
    settler = Settler(redis, scripts)
    settler.release(hold("late", 0))
    assert await settler.close(5) == 0
    assert isinstance(await admit(redis, scripts, "late"), TooLate)
    assert await redis.execute("ZCARD", keys.holds(PARTITION)) == 0


async def test_what_redis_cannot_take_is_sent_again_and_counted_once(
    redis: RedisPipeline, scripts: Scripts
) -> None:
    await admit(redis, scripts, "one")
    settler = Settler(redis, scripts)
    await redis.execute("CONFIG", "RESETSTAT")
    await redis.execute("CONFIG", "SET", "maxmemory", "1")
    try:
        settler.settle(hold("one", TURNED.turn), Amounts(1, 42, 9), b"record")
        async with asyncio.timeout(10):
            while b"errorstat_OOM" not in await redis.execute("INFO", "errorstats"):
                await asyncio.sleep(0.01)
        assert settler.unconfirmed == 1
    finally:
        await redis.execute("CONFIG", "SET", "maxmemory", "0")
    settler.settle(hold("one", TURNED.turn), Amounts(1, 42, 9), b"record")
    assert await settler.close(10) == 0
    booked = await numbers(redis, keys.period(PARTITION, SCOPE.id, TURNED.turn))
    assert (booked["t"], booked["ht"]) == (42, 0)
    assert await redis.execute("XLEN", keys.stream(PARTITION)) == 1
