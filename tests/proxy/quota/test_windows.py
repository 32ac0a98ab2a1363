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
from proxy.quota.scopes import Scopes
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
    await redis.execute("HINCRBY", keys.live(PARTITION, "o:one"), "latest", -WINDOW)
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


async def test_a_minute_passes_whatever_traffic_there_was_in_it(redis: RedisPipeline) -> None:
    some = await quota(redis, requests_per_minute=2)
    await some.admit("one", traffic=90_000)
    await some.settle("one", Amounts(1, 10, 0, 900_000))
    await some.admit("two", traffic=90_000)
    assert isinstance(await some.admit("three", traffic=90_000), Refused)
    await a_minute_passes(redis, "two")
    assert isinstance(await some.admit("three", traffic=90_000), Admitted)
    assert (await some.live())["r"] == 1


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
            PARTITION, request_id, Scopes(some.scopes), MONTH, demand, latest_ms=0, ttl_ms=TTL_MS, what=b"{}"
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


async def test_what_redis_lost_counts_in_the_minute_of_its_admission_again(redis: RedisPipeline) -> None:
    some = await quota(redis, requests_per_minute=10)
    seconds, _ = await redis.execute("TIME")
    now = int(seconds) * 1000
    await restore(some, "running", now - 10_000)
    await restore(some, "batch", now - 10_000, paced=False)
    await restore(some, "old", now - 70_000)
    live = await some.live()
    assert (live["r"], live["t"], live["c"]) == (2, 100, 2)
    # Its settlement corrects the minute, as if nothing had been lost.
    await some.settle("running", Amounts(1, 30, 0))
    live = await some.live()
    assert (live["r"], live["t"], live["c"]) == (2, 30, 1)


async def restore(some: Quota, request_id: str, at_ms: int, *, paced: bool = True) -> None:
    asked = settlement.restore(
        some.hold(request_id),
        Amounts(1, 100, 0),
        at_ms=at_ms,
        paced=paced,
        ttl_ms=TTL_MS,
        delivered=0,
        what=b"{}",
    )
    assert await some.redis.send_script(some.scripts.restore, *asked) == 1


@pytest.mark.parametrize(("ago", "counted"), [(0, 1), (50, 1), (70, 0)])
async def test_what_is_settled_without_a_hold_counts_in_the_minute_that_its_record_tells(
    redis: RedisPipeline, ago: int, counted: int
) -> None:
    some = await quota(redis, requests_per_minute=10)
    seconds, _ = await redis.execute("TIME")
    record = b'{"occurred_at":%d}' % ((int(seconds) - ago) * 1_000_000)
    asked = settlement.settle(some.hold("lost"), Amounts(1, 7, 0), record)
    assert await redis.send_script(some.scripts.settle, *asked) == settlement.DONE_WITHOUT_HOLD
    live = await some.live()
    assert (live.get("r", 0), live.get("t", 0), live.get("c", 0)) == (counted, 7 * counted, 0)


async def test_a_minute_that_redis_lost_is_filled_from_the_ledger_once(redis: RedisPipeline) -> None:
    some = Quota(redis, Scope.of("o:one", Limits(requests_per_minute=10)))
    seconds, _ = await redis.execute("TIME")
    bucket = int(seconds) // 2
    minute = [(bucket - 31, Amounts(4, 4, 0)), (bucket - 29, Amounts(2, 20, 0)), (bucket, Amounts(1, 5, 0))]
    for start in (0, 5):
        asked = settlement.seed(PARTITION, "o:one", start, Amounts(9, 90, 0), 10**11, 0, minute)
        assert await redis.send_script(some.scripts.seed, *asked) == 1
    live = await some.live()
    assert (live["r"], live["t"]) == (3, 25)
    assert isinstance(await some.admit("next"), Admitted)
    live = await some.live()
    assert (live["r"], live["t"]) == (4, 26)
