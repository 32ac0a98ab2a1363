"""Which minute and which month a request counts in, and which does not know of it any more."""

from collections.abc import AsyncIterator

import pytest

from ledger.limits import Limits
from proxy.pipeline import RedisPipeline
from proxy.quota import keys, settlement
from proxy.quota.admission import Admitted, Refused, answer, question
from proxy.quota.amounts import NOTHING, Amounts, Demand
from proxy.quota.calendar import Span
from proxy.quota.limits import Scope
from tests.epochs import open_all
from tests.proxy.quota.test_scripts import MONTH, PARTITION, TTL_MS, Quota

WINDOW = 31
"""Buckets of a minute; as many later, the same slot is another's."""


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisPipeline]:
    async with RedisPipeline.opened(redis_url, timeout=5) as made:
        await open_all(made)
        yield made


async def quota(redis: RedisPipeline, **limits: int) -> Quota:
    made = Quota(redis, Scope.of("o:one", Limits.model_validate(limits)))
    await made.seed()
    return made


async def a_minute_passes(redis: RedisPipeline, *held: str) -> None:
    """The clock is Redis' own and can't be moved, so what lies in the minute is moved back instead."""
    await redis.execute("HINCRBY", keys.live(PARTITION, "o:one"), "b", -WINDOW)
    for request_id in held:
        await redis.execute("HINCRBY", keys.hold(PARTITION, request_id), "bucket", -WINDOW)


@pytest.mark.parametrize("used", [20, 300])
async def test_what_is_settled_after_its_minute_counts_in_no_other_and_in_its_month(
    redis: RedisPipeline, used: int
) -> None:
    some = await quota(redis, tokens_per_minute=1000)
    await some.admit("long", tokens=100)
    await a_minute_passes(redis, "long")
    await some.admit("next", tokens=10)
    assert (await some.live())["t"] == 10
    assert await some.settle("long", Amounts(1, used, 0)) == settlement.DONE
    live = await some.live()
    assert (live["t"], live["r"], live["c"]) == (10, 1, 1)
    assert (await some.counters())["t"] == used


async def test_within_its_minute_a_settlement_counts_there(redis: RedisPipeline) -> None:
    some = await quota(redis, tokens_per_minute=1000)
    await some.admit("one", tokens=100)
    await some.settle("one", Amounts(1, 300, 0))
    assert (await some.live())["t"] == 300


async def test_what_is_settled_after_its_month_counts_in_that_month(redis: RedisPipeline) -> None:
    some = await quota(redis, tokens_per_month=1000)
    november, december = 1000, 10**13
    await some.seed(start=november)
    await some.seed(start=december)
    await some.admit("late", tokens=100, span=Span(november, december, 2 * december))
    # Whoever settles it takes it for one of the month that is now, and is put right.
    assert await some.settle("late", Amounts(1, 70, 0), start=december) == november
    assert await some.settle("late", Amounts(1, 70, 0), start=november) == settlement.DONE
    assert {name: (await some.counters(november))[name] for name in ("t", "ht")} == {"t": 70, "ht": 0}
    assert (await some.counters(december))["t"] == 0


async def test_a_call_that_runs_over_the_turn_of_the_month_holds_nothing_of_the_next(
    redis: RedisPipeline,
) -> None:
    some = await quota(redis, tokens_per_month=100, concurrent_requests=2)
    seconds, _ = await redis.execute("TIME")
    now = int(seconds) * 1000
    before, turned = Span(0, now + 10**9, 10**13), Span(0, now - 1000, 10**13)
    await some.seed(start=turned.turn)
    assert isinstance(await some.admit("old", tokens=100, span=before), Admitted)
    assert isinstance(await some.admit("too much", tokens=1, span=before), Refused)
    assert isinstance(await some.admit("new", tokens=100, span=turned), Admitted)
    # What runs at once knows no month.
    third = await some.admit("third", span=turned)
    assert isinstance(third, Refused)
    assert third.kind.name == "concurrent_requests"


async def test_work_that_is_done_when_it_suits_the_provider_counts_in_the_month_alone(
    redis: RedisPipeline,
) -> None:
    some = await quota(redis, tokens_per_minute=10, tokens_per_month=150, concurrent_requests=0)
    demand = Demand(100, 0, 0, 0, 0, paced=False)

    async def admit(request_id: str) -> Admitted | object:
        asked = question(
            PARTITION, request_id, some.scopes, MONTH, demand, latest_ms=0, ttl_ms=TTL_MS, what=b"{}"
        )
        return answer(await redis.send_script(some.scripts.admit, *asked), some.scopes)

    assert isinstance(await admit("batch"), Admitted)
    live = await some.live()
    assert (live["c"], live.get("t", 0), live["r"]) == (0, 0, 1)
    refused = await admit("another")
    assert isinstance(refused, Refused)
    assert refused.kind.name == "tokens_per_month"
    await some.settle("batch", NOTHING)
    live = await some.live()
    assert (live["c"], live.get("t", 0)) == (0, 0)
