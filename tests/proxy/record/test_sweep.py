"""The sweep takes what nobody sees to any more, and leaves a proxy that was cut off the time to come back."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from ledger.limits import Limits
from proxy.pipeline import RedisPipeline
from proxy.quota import keys, settlement
from proxy.quota.admission import question
from proxy.quota.amounts import NOTHING, Amounts, Demand, Hold
from proxy.quota.calendar import Span
from proxy.quota.limits import Scope
from proxy.quota.scopes import Scopes
from proxy.quota.scripts import Scripts
from proxy.record.sweep import Sweep
from tests.epochs import open_all

PARTITION = 4
SCOPE = Scope.of("o:one", Limits(tokens_per_month=1000))
SPAN = Span(1000, 10**13, 2 * 10**13)
HOLD = Hold(PARTITION, "one", (SCOPE.id,), SPAN.start)


@pytest.fixture
async def pipeline(redis_url: str) -> AsyncIterator[RedisPipeline]:
    """With a hold that has expired already."""
    redis = RedisPipeline(redis_url, timeout=5)
    await redis.connect()
    await open_all(redis)
    scripts = Scripts(redis)
    await redis.send_script(scripts.seed, *settlement.seed(PARTITION, SCOPE.id, SPAN.start, NOTHING, 10**11))
    asked = question(
        PARTITION,
        "one",
        Scopes((SCOPE,)),
        SPAN,
        Demand(30, 0, 20, 20, 0),
        latest_ms=0,
        ttl_ms=-1000,
        what=b"unreadable",
    )
    await redis.send_script(scripts.admit, *asked)
    yield redis
    await redis.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


async def test_an_expired_hold_is_taken_once_after_a_moment(pipeline: RedisPipeline, redis: Redis) -> None:
    at = [0.0]
    sweep, other = Sweep(pipeline, lambda: at[0]), Sweep(pipeline, lambda: at[0])
    assert await sweep.run() == await other.run() == 0
    at[0] = 5.0
    assert await sweep.run() + await other.run() == 1
    assert await redis.xlen(keys.stream(PARTITION)) == 1
    assert await redis.zcard(keys.holds(PARTITION)) == 0


async def test_a_hold_renewed_in_that_moment_stays(pipeline: RedisPipeline, redis: Redis) -> None:
    at = [0.0]
    sweep = Sweep(pipeline, lambda: at[0])
    await sweep.run()
    scripts = Scripts(pipeline)
    renew = settlement.renew(PARTITION, "one", 60_000, 9)
    assert await pipeline.send_script(scripts.renew, *renew) == settlement.RENEWED
    at[0] = 5.0
    assert await sweep.run() == 0
    assert await redis.zcard(keys.holds(PARTITION)) == 1


async def test_a_hold_settled_in_that_moment_is_not_counted_again(
    pipeline: RedisPipeline, redis: Redis
) -> None:
    at = [0.0]
    sweep = Sweep(pipeline, lambda: at[0])
    await sweep.run()
    done = settlement.settle(HOLD, Amounts(1, 42, 0), b"record")
    assert await pipeline.send_script(Scripts(pipeline).settle, *done) == settlement.DONE
    at[0] = 5.0
    assert await sweep.run() == 0
    assert await redis.hget(keys.period(PARTITION, SCOPE.id, SPAN.start), "t") == b"42"
    assert await redis.xlen(keys.stream(PARTITION)) == 1
