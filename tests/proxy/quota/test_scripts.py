"""The four scripts on a real Valkey: what they promise in their headers."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis as SyncRedis

from ledger.limits import Limits
from proxy.pipeline import RedisPipeline
from proxy.quota import keys, settlement
from proxy.quota.admission import Admitted, Answer, OtherPeriod, Refused, TooLate, Unseeded, answer, question
from proxy.quota.amounts import NOTHING, Amounts, Demand, Hold
from proxy.quota.calendar import Span
from proxy.quota.limits import Scope
from proxy.quota.scopes import Scopes
from proxy.quota.scripts import Scripts, source
from tests.epochs import open_all

TTL_MS = 60_000
MONTH = Span(0, 10**13, 2 * 10**13)
PARTITION = 7


class Quota:
    """The scripts, asked one at a time."""

    def __init__(self, redis: RedisPipeline, scope: Scope, *others: Scope) -> None:
        self.redis = redis
        self.scripts = Scripts(redis)
        self.scopes = (scope, *others)

    async def admit(
        self,
        request_id: str,
        *,
        tokens: int = 1,
        output: int = 0,
        least: int | None = None,
        money: int = 0,
        traffic: int = 0,
        span: Span = MONTH,
        latest_ms: int = 0,
        ttl_ms: int = TTL_MS,
    ) -> Answer:
        demand = Demand(tokens, money, output, output if least is None else least, 0, traffic)
        names, arguments = question(
            PARTITION,
            request_id,
            Scopes(self.scopes),
            span,
            demand,
            latest_ms=latest_ms,
            ttl_ms=ttl_ms,
            what=b"{}",
        )
        return answer(await self.redis.send_script(self.scripts.admit, names, arguments), self.scopes)

    def hold(self, request_id: str, start: int = 0) -> Hold:
        return Hold(PARTITION, request_id, tuple(scope.id for scope in self.scopes), start)

    async def settle(
        self, request_id: str, used: Amounts, mode: settlement.Mode = "settle", start: int = 0
    ) -> int:
        asked = settlement.settle(self.hold(request_id, start), used, b"record", mode)
        done: int = await self.redis.send_script(self.scripts.settle, *asked)
        return done

    async def seed(self, used: Amounts = NOTHING, start: int = 0) -> None:
        for scope in self.scopes:
            asked = settlement.seed(PARTITION, scope.id, start, used, 10**11)
            await self.redis.send_script(self.scripts.seed, *asked)

    async def counters(self, start: int = 0) -> dict[str, int]:
        raw = await self.redis.execute("HGETALL", keys.period(PARTITION, self.scopes[0].id, start))
        return {name.decode(): int(value) for name, value in zip(raw[::2], raw[1::2], strict=True)}

    async def live(self) -> dict[str, int]:
        raw = await self.redis.execute("HGETALL", keys.live(PARTITION, self.scopes[0].id))
        return {name.decode(): int(value) for name, value in zip(raw[::2], raw[1::2], strict=True)}

    async def records(self) -> int:
        return int(await self.redis.execute("XLEN", keys.stream(PARTITION)))


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisPipeline]:
    pipeline = RedisPipeline(redis_url, timeout=5)
    await pipeline.connect()
    await open_all(pipeline)
    yield pipeline
    await pipeline.close()


async def quota(redis: RedisPipeline, *others: Limits, **limits: Any) -> Quota:
    scopes = [Scope.of(f"k:{number}", other) for number, other in enumerate(others)]
    made = Quota(redis, Scope.of("o:one", Limits(**limits)), *scopes)
    await made.seed()
    return made


async def test_a_refused_request_writes_nothing(redis: RedisPipeline) -> None:
    tight = await quota(redis, Limits(tokens_per_month=5), requests_per_minute=10, concurrent_requests=10)
    before = await redis.execute("DBSIZE"), await tight.counters(), (await tight.live()).get("r", 0)
    refused = await tight.admit("one", tokens=6)
    assert isinstance(refused, Refused)
    assert (refused.scope.id, refused.kind.name) == ("k:0", "tokens_per_month")
    assert (refused.limit, refused.used, refused.needed) == (5, 0, 6)
    after = await tight.live()
    assert (await tight.counters(), after.get("r", 0)) == before[1:]
    assert after.get("c", 0) == 0
    assert await redis.execute("EXISTS", keys.hold(PARTITION, "one")) == 0


async def test_a_settlement_replaces_the_hold_by_what_was_used(redis: RedisPipeline) -> None:
    some = await quota(redis, tokens_per_minute=1000)
    assert isinstance(await some.admit("one", tokens=100, output=200, money=7), Admitted)
    assert await some.counters() == {"s": 1, "r": 0, "t": 0, "m": 0, "b": 0, "hr": 1, "ht": 300, "hm": 7}
    assert await some.settle("one", Amounts(1, 120, 3)) == settlement.DONE
    assert await some.counters() == {
        "s": 1,
        "r": 1,
        "t": 120,
        "m": 3,
        "b": 0,
        "hr": 0,
        "ht": 0,
        "hm": 0,
        "hb": 0,
    }
    live = await some.live()
    assert (live["c"], live["t"], live["r"]) == (0, 120, 1)
    assert await some.records() == 1
    assert await redis.execute("ZCARD", keys.holds(PARTITION)) == 0


async def test_a_settlement_asked_again_counts_once(redis: RedisPipeline) -> None:
    some = await quota(redis)
    await some.admit("one", tokens=10)
    assert await some.settle("one", Amounts(1, 10, 0)) == settlement.DONE
    assert await some.settle("one", Amounts(1, 10, 0)) == settlement.DONE_BEFORE
    assert (await some.counters())["t"] == 10
    assert await some.records() == 1


async def test_what_was_used_is_counted_even_if_redis_lost_the_hold(redis: RedisPipeline) -> None:
    some = await quota(redis)
    assert await some.settle("lost", Amounts(1, 10, 4)) == settlement.DONE_WITHOUT_HOLD
    assert await some.settle("lost", Amounts(1, 10, 4)) == settlement.DONE_BEFORE
    counters = await some.counters()
    assert (counters["r"], counters["t"], counters["m"]) == (1, 10, 4)
    assert await some.records() == 1


async def test_a_release_leaves_no_trace_but_the_memory_of_it(redis: RedisPipeline) -> None:
    some = await quota(redis, requests_per_minute=1, tokens_per_minute=100)
    await some.admit("one", tokens=50)
    assert await some.settle("one", NOTHING, "release") == settlement.DONE
    assert await some.counters() == {
        "s": 1,
        "r": 0,
        "t": 0,
        "m": 0,
        "b": 0,
        "hr": 0,
        "ht": 0,
        "hm": 0,
        "hb": 0,
    }
    assert isinstance(await some.admit("two", tokens=100), Admitted)
    assert await some.records() == 0


async def test_a_sweep_takes_what_expired_and_nothing_else(redis: RedisPipeline) -> None:
    some = await quota(redis)
    await some.admit("alive", tokens=5)
    await some.admit("dead", tokens=5, ttl_ms=-1)
    assert await some.settle("alive", Amounts(1, 1, 0), "sweep") == settlement.DONE_BEFORE
    assert await some.settle("dead", Amounts(1, 1, 0), "sweep") == settlement.DONE
    assert (await some.counters())["ht"] == 5
    # Its proxy was only frozen, and settles late: it was settled already.
    assert await some.settle("dead", Amounts(1, 9, 0)) == settlement.DONE_BEFORE
    assert (await some.counters())["t"] == 1


async def test_a_renewed_hold_is_not_swept_and_a_lost_one_is_not_renewed(redis: RedisPipeline) -> None:
    some = await quota(redis)
    await some.admit("one", ttl_ms=-1)
    renew = settlement.renew(PARTITION, "one", TTL_MS, 12)
    assert await redis.send_script(some.scripts.renew, *renew) == settlement.RENEWED
    assert await redis.execute("HGET", keys.hold(PARTITION, "one"), "delivered") == b"12"
    assert await some.settle("one", NOTHING, "sweep") == settlement.DONE_BEFORE
    await some.settle("one", NOTHING)
    assert await redis.send_script(some.scripts.renew, *renew) == settlement.HOLD_SWEPT
    gone = settlement.renew(PARTITION, "never", TTL_MS, 0)
    # Redis lost it: nobody has settled, so the request may go on.
    assert await redis.send_script(some.scripts.renew, *gone) == settlement.HOLD_UNKNOWN


async def test_the_period_is_chosen_by_redis_time(redis: RedisPipeline) -> None:
    some = await quota(redis, tokens_per_month=10)
    seconds, _ = await redis.execute("TIME")
    now = int(seconds) * 1000
    turned = Span(0, now - 1000, now + 10**9)
    assert await some.admit("one", span=turned) == Unseeded(turned.turn)
    await some.seed(start=turned.turn)
    admitted = await some.admit("one", tokens=10, span=turned)
    assert isinstance(admitted, Admitted)
    assert admitted.period_start_ms == turned.turn
    assert (await some.counters(0)).get("ht", 0) == 0
    assert (await some.counters(turned.turn))["ht"] == 10
    assert isinstance(await some.admit("two", span=Span(now + 10**6, now + 10**7, now + 10**8)), OtherPeriod)
    assert isinstance(await some.admit("two", span=Span(0, 1, 2)), OtherPeriod)


async def test_a_question_that_nobody_waits_for_any_more_takes_no_hold(redis: RedisPipeline) -> None:
    some = await quota(redis)
    assert isinstance(await some.admit("late", latest_ms=1), TooLate)
    assert await redis.execute("ZCARD", keys.holds(PARTITION)) == 0


async def test_counters_are_seeded_once(redis: RedisPipeline) -> None:
    some = await quota(redis, tokens_per_month=100)
    await some.seed(Amounts(3, 50, 0), start=5)
    await some.seed(Amounts(3, 50, 0), start=5)
    assert (await some.counters(5))["t"] == 50


async def test_the_grant_is_what_every_limit_leaves_room_for(redis: RedisPipeline) -> None:
    some = await quota(redis, Limits(tokens_per_minute=60), tokens_per_month=100)
    admitted = await some.admit("one", tokens=10, output=1000, least=16)
    assert isinstance(admitted, Admitted)
    assert admitted.output == 50
    refused = await some.admit("two", tokens=10, output=1000, least=16)
    assert isinstance(refused, Refused)


async def test_a_minute_forgets_after_a_minute(redis: RedisPipeline) -> None:
    some = await quota(redis, requests_per_minute=2)
    assert isinstance(await some.admit("one"), Admitted)
    assert isinstance(await some.admit("two"), Admitted)
    refused = await some.admit("three")
    assert isinstance(refused, Refused)
    assert 58_000 < refused.retry_ms <= 62_000
    # The clock is Redis' own and can't be moved, so what lies in the minute is moved back instead.
    name = keys.live(PARTITION, "o:one")
    live = await some.live()
    passed = 31
    await redis.execute("HSET", name, "latest", live["latest"] - passed)
    assert isinstance(await some.admit("three"), Admitted)


@pytest.fixture
def sync_redis(redis_url: str) -> Iterator[SyncRedis]:
    with SyncRedis.from_url(redis_url) as client:
        yield client


STEP = st.tuples(
    st.sampled_from(["admit", "settle", "release", "again"]),
    st.integers(0, 5),
    st.integers(0, 40),
    st.integers(0, 60),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(STEP, max_size=40))
def test_held_and_used_always_add_up_and_never_pass_the_limit(
    sync_redis: SyncRedis, steps: list[tuple[str, int, int, int]]
) -> None:
    """Against a model in plain Python; usage never exceeds the hold, as the upstream keeps its bound."""
    sync_redis.flushdb()
    admit, settle = sync_redis.register_script(source("admit")), sync_redis.register_script(source("settle"))
    limit = 100
    scope = Scope.of("o:one", Limits(tokens_per_month=limit))
    sync_redis.hset(keys.epoch(PARTITION), "open", 1)
    sync_redis.hset(keys.period(PARTITION, scope.id, 0), "s", 1)
    held: dict[str, int] = {}
    used = 0
    done: set[str] = set()
    for number, (what, which, tokens, part) in enumerate(steps):
        name = f"{which}"
        if what == "admit" and name not in held and name not in done:
            demand = Demand(tokens, 0, 0, 0, 0)
            names, arguments = question(
                PARTITION, name, Scopes((scope,)), MONTH, demand, latest_ms=0, ttl_ms=TTL_MS, what=b""
            )
            reply = answer(admit(names, arguments), (scope,))
            fits = used + sum(held.values()) + tokens <= limit
            assert isinstance(reply, Admitted if fits else Refused)
            if fits:
                held[name] = tokens
        elif what != "admit" and (name in held or what == "again"):
            amount = 0 if what == "release" else min(part, held.get(name, 0))
            if name not in held and name not in done:
                continue
            mode: settlement.Mode = "release" if what == "release" else "settle"
            asked = settlement.settle(
                Hold(PARTITION, name, (scope.id,), 0), Amounts(0, amount, 0), b"%d" % number, mode
            )
            assert settle(*asked) == (1 if name in held else 0)
            if name in held:
                used += amount
                del held[name]
                done.add(name)
        raw: dict[bytes, bytes] = sync_redis.hgetall(keys.period(PARTITION, scope.id, 0))  # type: ignore[assignment]
        counters = {name.decode(): int(value) for name, value in raw.items()}
        assert counters.get("t", 0) == used
        assert counters.get("ht", 0) == sum(held.values())
        assert used + sum(held.values()) <= limit


async def test_every_key_of_a_question_lies_in_one_slot(redis: RedisPipeline) -> None:
    some = await quota(redis, Limits(requests_per_minute=1))
    names, _ = question(
        PARTITION, "one", Scopes(some.scopes), MONTH, Demand(1, 0, 0, 0, 0), latest_ms=0, ttl_ms=1, what=b""
    )
    names += settlement.settle(some.hold("one"), NOTHING, b"")[0]
    assert {name.partition("}")[0] for name in names} == {"{p07"}
    assert len({await redis.execute("CLUSTER", "KEYSLOT", name) for name in names}) == 1
