"""Drift of any counter is found, shown, mended once, and what goes on meanwhile is neither reported nor disturbed."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import httpx
import pytest

from ledger import organizations
from ledger.database import Pool, close_pool, open_pool, reading
from ledger.limits import Limits
from ledger.partitions import partition_of
from ledger.periods import month_of
from proxy.pipeline import RedisPipeline
from proxy.quota import keys
from proxy.quota.clock import milliseconds
from proxy.quota.scripts import source
from proxy.reconciliation.account import Account, account_of
from proxy.reconciliation.comparison import Comparison
from proxy.reconciliation.looks import Looks
from proxy.reconciliation.repairs import Repairs, reconcile
from proxy.record.batches import Batches, decode
from proxy.record.stream import Entry
from tests.console.running import Console, serving
from tests.system import System, Tenant, until

MODEL = "gpt-4o-mini"
USED, HELD = ("r", "t", "m", "b"), ("hr", "ht", "hm", "hb", "c")


@pytest.fixture
async def redis(house: System) -> AsyncIterator[RedisPipeline]:
    async with RedisPipeline.opened(house.redis_url, timeout=5) as made:
        yield made


@pytest.fixture
async def pool(house: System) -> AsyncIterator[Pool]:
    pool = await open_pool(house.database_url, size=2)
    yield pool
    await close_pool(pool)


@pytest.fixture
async def console(house: System) -> AsyncIterator[Console]:
    async with serving(house.database_url, house.redis_url) as running:
        yield running


async def chat(house: System, tenant: Tenant, **switches: Any) -> int:
    sim = ";".join(f"{name}={value}" for name, value in switches.items())
    async with house.client(tenant) as client:
        return await ask(client, {"x-sim": sim} if sim else {})


async def ask(client: httpx.AsyncClient, headers: Mapping[str, str] = MappingProxyType({})) -> int:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
    return (await client.post("/v1/chat/completions", json=body, headers=headers)).status_code


async def account(pool: Pool, tenant: Tenant) -> Account:
    async with reading(pool) as connection:
        organization = await organizations.get(connection, tenant.organization_id)
        found = await account_of(connection, organization, datetime.now(UTC))
    assert found is not None
    return found


async def compared(redis: RedisPipeline, pool: Pool, tenant: Tenant) -> list[Comparison]:
    return await reconcile(Looks(redis, pool), await account(pool, tenant))


async def mend(redis: RedisPipeline, pool: Pool, tenant: Tenant) -> None:
    async with reading(pool) as connection:
        organization = await organizations.get(connection, tenant.organization_id)
    await Repairs(redis).look_after(pool, organization, datetime.now(UTC))


def names(tenant: Tenant, scope: str) -> tuple[str, str]:
    partition = partition_of(tenant.organization_id)
    start = milliseconds(month_of(datetime.now(UTC), "UTC").start)
    return keys.live(partition, scope), keys.period(partition, scope, start)


async def counters(redis: RedisPipeline, tenant: Tenant, scope: str) -> dict[str, int]:
    live, period = names(tenant, scope)
    found = {}
    for name in (*USED, *HELD):
        value = await redis.execute("HGET", live if name == "c" else period, name)
        found[name] = int(value or 0)
    return found


async def plant(redis: RedisPipeline, tenant: Tenant, scope: str, amount: int, *which: str) -> None:
    live, period = names(tenant, scope)
    for name in which:
        await redis.execute("HINCRBY", live if name == "c" else period, name, amount)


async def mended(house: System, tenant: Tenant) -> list[dict[str, Any]]:
    query = "select actor, detail::text from audit where object = $1 and action = 'counters.mend' order by id"
    return await house.fetch(query, tenant.organization_id)


@pytest.mark.parametrize("amount", [1000, -1])
async def test_drift_of_every_counter_is_shown_and_mended_once(
    house: System, redis: RedisPipeline, pool: Pool, console: Console, amount: int
) -> None:
    tenant = await house.tenant(key_limits=Limits(tokens_per_month=10**9))
    for _ in range(3):
        assert await chat(house, tenant) == 200
    await house.records(tenant, 3)
    scopes = [f"o:{tenant.organization_id}", f"k:{tenant.key_id}"]
    right = {scope: await counters(redis, tenant, scope) for scope in scopes}
    assert right[scopes[0]] == right[scopes[1]]
    path = f"/api/admin/reconciliation?organization={tenant.organization_id}"
    async with asyncio.TaskGroup() as calls:
        running = calls.create_task(chat(house, tenant, delay=1500))
        await until(lambda: _holding(redis, tenant), "the hold")
        held = {scope: await counters(redis, tenant, scope) for scope in scopes}
        assert all(held[scope][name] > 0 for scope in scopes for name in HELD)
        assert await console.all_pages(f"{path}&differences=true", 3) == []
        for scope in scopes:
            await plant(redis, tenant, scope, amount, *USED, *HELD)
        shown = await console.all_pages(f"{path}&differences=true", 3)
        assert len(shown) == 2 * 5
        for row in shown:
            assert row["organization_id"] == tenant.organization_id
            assert float(row["held_difference"]) == (amount / 10**9 if row["measure"] == "money" else amount)
        await mend(redis, pool, tenant)
        assert {scope: await counters(redis, tenant, scope) for scope in scopes} == held
    assert running.result() == 200
    await house.records(tenant, 4)
    assert not [each for each in await compared(redis, pool, tenant) if each.differs]
    first = await mended(house, tenant)
    assert len(first) == len(scopes)
    assert first[0]["actor"] == "reconcile"
    before = right[scopes[0]]["t"] + amount
    assert f'"tokens": {{"after": {before - amount}, "before": {before}}}' in first[0]["detail"]
    await mend(redis, pool, tenant)
    assert await mended(house, tenant) == first


async def _holding(redis: RedisPipeline, tenant: Tenant) -> bool | None:
    live, _ = names(tenant, f"o:{tenant.organization_id}")
    return True if await redis.execute("HGET", live, "c") == b"1" else None


async def test_a_storm_of_calls_is_neither_reported_nor_disturbed(
    house: System, redis: RedisPipeline, pool: Pool
) -> None:
    tenant = await house.tenant(key_limits=Limits(tokens_per_month=10**9))
    assert await chat(house, tenant) == 200
    over = asyncio.Event()
    sent = 1

    async def caller() -> None:
        nonlocal sent
        async with house.client(tenant) as client:
            while not over.is_set():
                assert await ask(client) == 200
                sent += 1

    looks = 0
    whose = await account(pool, tenant)
    scope = f"o:{tenant.organization_id}"
    async with asyncio.TaskGroup() as storm:
        for _ in range(8):
            storm.create_task(caller())
        while looks < 16:
            found = await reconcile(Looks(redis, pool), whose)
            assert [each for each in found if each.differs] == []
            looks += 1
            if looks == 8:
                await plant(redis, tenant, scope, 500, "t", "ht")
                await mend(redis, pool, tenant)
        over.set()
    rows = await house.records(tenant, sent)
    right = await counters(redis, tenant, scope)
    assert right["r"] == sent
    assert right["t"] == sum(row["input_tokens"] + row["output_tokens"] for row in rows)
    assert [right[name] for name in HELD] == [0] * len(HELD)
    assert len(await mended(house, tenant)) == 1


async def test_one_look_alone_is_exact_in_a_storm(house: System, redis: RedisPipeline, pool: Pool) -> None:
    """The second look is for what nobody foresaw; here the ledger is read long after the counters."""
    tenant = await house.tenant()
    assert await chat(house, tenant) == 200
    over = asyncio.Event()

    async def caller() -> None:
        async with house.client(tenant) as client:
            while not over.is_set():
                assert await ask(client) == 200

    class Slow(Looks):
        async def _in_stream(self, *asked: Any) -> Any:
            await asyncio.sleep(0.2)
            return await super()._in_stream(*asked)

    whose = await account(pool, tenant)
    async with asyncio.TaskGroup() as storm:
        for _ in range(4):
            storm.create_task(caller())
        for _ in range(4):
            look = await Slow(redis, pool).look(whose)
            scope = f"o:{tenant.organization_id}"
            assert look.counters[scope]["t"] == look.ledger[scope].tokens + look.stream[scope].tokens
        over.set()


async def test_counters_that_redis_lost_are_no_drift_and_come_back_with_the_next_call(
    house: System, redis: RedisPipeline, pool: Pool
) -> None:
    tenant = await house.tenant()
    assert await chat(house, tenant) == 200
    await house.records(tenant, 1)
    await house.forget_counters(tenant)
    assert await compared(redis, pool, tenant) == []
    await mend(redis, pool, tenant)
    assert await mended(house, tenant) == []
    assert await chat(house, tenant) == 200
    await house.records(tenant, 2)
    found = await compared(redis, pool, tenant)
    assert next((each.measure, each.counters) for each in found) == ("r", 2)
    assert not [each for each in found if each.differs]


async def test_counters_rebuilt_where_the_stream_was_lost_too_are_left_alone(
    house: System, redis: RedisPipeline, pool: Pool
) -> None:
    tenant = await house.tenant()
    assert await chat(house, tenant) == 200
    await house.records(tenant, 1)
    await house.quiet()
    scope = f"o:{tenant.organization_id}"
    right = await counters(redis, tenant, scope)
    await redis.execute("DEL", keys.stream(partition_of(tenant.organization_id)))
    await mend(redis, pool, tenant)
    assert await counters(redis, tenant, scope) == right
    assert await mended(house, tenant) == []


async def test_counters_that_were_lost_and_rebuilt_since_are_left_alone(
    redis: RedisPipeline, house: System
) -> None:
    tenant = await house.tenant()
    assert await chat(house, tenant) == 200
    await house.records(tenant, 1)
    live, period = names(tenant, f"o:{tenant.organization_id}")
    script = redis.script(source("mend"))
    assert await redis.send_script(script, [live, period], [2, "t", 5]) == []
    assert await redis.send_script(script, [live, period], [1, "t", -(10**9)]) != []
    assert await redis.execute("HGET", period, "t") == b"0"
    await redis.execute("DEL", period)
    assert await redis.send_script(script, [live, period], [0, "t", 5]) == []
    assert await redis.execute("EXISTS", period) == 0


async def test_what_is_on_its_way_to_the_ledger_is_counted_once(
    house: System, redis: RedisPipeline, pool: Pool
) -> None:
    tenant = await house.tenant()
    assert await chat(house, tenant) == 200
    await house.records(tenant, 1)
    drain = house.children["drain"]
    drain.signal(signal.SIGSTOP)
    try:
        for _ in range(2):
            assert await chat(house, tenant) == 200
        found = {each.measure: each for each in await compared(redis, pool, tenant)}
        assert (found["r"].ledger, found["r"].stream, found["r"].counters) == (1, 2, 3)
        assert not [each for each in found.values() if each.differs]
        # Stored, and not taken off the stream yet: in both.
        entries: Any = await redis.execute(
            "XRANGE", keys.stream(partition_of(tenant.organization_id)), "-", "+"
        )
        lying = [Entry("stream", entry.decode(), fields[1]) for entry, fields in entries]
        await Batches(pool).store(decode(lying, datetime.now(UTC)))
        found = {each.measure: each for each in await compared(redis, pool, tenant)}
        assert (found["r"].ledger, found["r"].stream, found["r"].counters) == (3, 0, 3)
        assert not [each for each in found.values() if each.differs]
    finally:
        drain.signal(signal.SIGCONT)
    await house.records(tenant, 3)


async def test_a_record_that_the_ledger_lost_is_mended_from_the_ledger(
    house: System, redis: RedisPipeline, pool: Pool
) -> None:
    tenant = await house.tenant()
    assert await chat(house, tenant) == 200
    await house.records(tenant, 1)
    await house.quiet()
    await house.execute("delete from usage where organization_id = $1", tenant.organization_id)
    found = {each.measure: each for each in await compared(redis, pool, tenant)}
    assert found["r"].difference == 1
    await mend(redis, pool, tenant)
    assert set((await counters(redis, tenant, f"o:{tenant.organization_id}")).values()) == {0}


async def test_the_worker_does_it_and_metrics_tell(
    house: System, redis: RedisPipeline, console: Console
) -> None:
    tenant = await house.tenant()
    assert await chat(house, tenant) == 200
    await house.records(tenant, 1)
    scope = f"o:{tenant.organization_id}"
    right = await counters(redis, tenant, scope)
    await plant(redis, tenant, scope, 10, "t")
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tollkeeper", "worker", "--once", "reconcile"), env=house.environ
    )
    async with asyncio.timeout(30):
        assert await worker.wait() == 0
    assert await counters(redis, tenant, scope) == right
    assert len(await mended(house, tenant)) == 1
    lines = (await console.nobody.get("/metrics")).text.splitlines()
    told = {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if name[0] != "#"
    }
    assert told["tollkeeper_reconciliation_mended_counters"] >= 1
    assert told["tollkeeper_reconciliation_timestamp_seconds"] > 0
