"""Redis slow, frozen, cut and reset, by a line in between: bounded waits, nothing lost or doubled, and those plans that
allow it go on within their allowance."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest

from ledger.partitions import partition_of
from ledger.usage import Usage
from ledger.usage_record import UsageRecord
from proxy.quota import keys
from proxy.record import form
from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from tests.line import Line
from tests.redis_client import open_redis
from tests.system import System, Tenant, beside, prepare, system, until
from tests.wire import WireClient

CHAT = "/v1/chat/completions"
HOLD_SECONDS = 3
BOUND = 0.25
"""Of Redis' answers, in seconds."""
PERCENT = 20
MANY = 5_000


@pytest.fixture(scope="module")
def lines(postgres: Postgres, valkey: Valkey) -> Iterator[tuple[System, Line, Line]]:
    """A data plane whose ways to Redis and to Postgres are lines. The tests look at both themselves."""
    name = "test_redis_loss"
    asyncio.run(postgres.create_database(name))
    asyncio.run(prepare(postgres.url(name)))
    to_redis = Line(Path(unquote(urlsplit(valkey.url()).path)))
    [folder] = parse_qs(urlsplit(postgres.url(name)).query)["host"]
    to_postgres = Line(Path(folder) / ".s.PGSQL.5432")
    options = {
        "TOLLKEEPER_HOLD_TTL_SECONDS": str(HOLD_SECONDS),
        "TOLLKEEPER_SHUTDOWN_GRACE_SECONDS": "1",
        "TOLLKEEPER_BOUNDED_PERCENT": str(PERCENT),
        "TOLLKEEPER_BOUNDED_REQUESTS_PER_MINUTE": "30",
    }
    with system(postgres.url(name), valkey.url(18), **options) as made:
        made.environ |= {
            "REDIS_URL": f"redis://127.0.0.1:{to_redis.port}/18",
            "DATABASE_URL": f"postgresql://postgres@127.0.0.1:{to_postgres.port}/{name}",
        }
        made.start("upstream", "proxy", "drain")
        yield made, to_redis, to_postgres
        made.stop()
    to_redis.close()
    to_postgres.close()


@pytest.fixture
def house(lines: tuple[System, Line, Line]) -> System:
    return lines[0]


@pytest.fixture
def to_redis(lines: tuple[System, Line, Line]) -> Line:
    return lines[1]


@pytest.fixture
def to_postgres(lines: tuple[System, Line, Line]) -> Line:
    return lines[2]


def chat(model: str = "gpt-4o-mini+tokens=5", **members: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Go on"}], "max_tokens": 20} | members


async def ready(house: System, *reasons: str) -> None:
    """Waits until the proxy names just these reasons, by their first words."""
    async with httpx.AsyncClient(base_url=house.proxy_url, timeout=5) as client:

        async def said() -> bool | None:
            answer = await client.get("/readyz")
            assert answer.status_code == 200
            return True if [each.split()[0] for each in answer.json()["reasons"]] == list(reasons) else None

        await until(said, f"the proxy to say {reasons}")


async def tenant_of(house: System, *, bounded: bool = False, proxies: int = 1, **limits: int) -> Tenant:
    await ready(house)
    if bounded:
        await counted(house, proxies)
    return await house.tenant(
        limits=limits, unpriced_models="allow", on_redis_loss="bounded" if bounded else "refuse"
    )


async def timed(client: httpx.AsyncClient, **members: Any) -> tuple[int, float]:
    began = time.monotonic()
    answer = await client.post(CHAT, json=chat(**members))
    return answer.status_code, time.monotonic() - began


async def settled(house: System, tenant: Tenant, count: int) -> list[dict[str, Any]]:
    """As many rows, and counters that say the same."""
    rows = await house.records(tenant, count)
    await house.quiet()
    used = await house.counters(tenant)
    tokens = sum(row["input_tokens"] + row["output_tokens"] for row in rows)
    assert (used["r"], used["t"], used.get("ht", 0)) == (count, tokens, 0)
    assert len({row["request_id"] for row in rows}) == count
    return rows


async def test_a_redis_that_answers_within_the_bound_is_waited_for(house: System, to_redis: Line) -> None:
    tenant = await tenant_of(house, requests_per_month=100)
    to_redis.slow(0.03)
    try:
        async with house.client(tenant) as client:
            for _ in range(3):
                assert (await timed(client))[0] == 200
    finally:
        to_redis.slow(0)
    await settled(house, tenant, 3)


@pytest.mark.parametrize("trouble", ["slow", "frozen", "cut"])
async def test_without_redis_calls_are_refused_within_the_bound_and_pass_again_after_it(
    house: System, to_redis: Line, trouble: str
) -> None:
    tenant = await tenant_of(house, requests_per_month=100)
    async with house.client(tenant) as client:
        assert (await timed(client))[0] == 200
        await house.quiet()
        with _in(to_redis, trouble):
            together = await asyncio.gather(*(timed(client) for _ in range(10)))
            one_by_one = [await timed(client) for _ in range(20)]
            assert {status for status, _ in (*together, *one_by_one)} == {503}
            assert max(seconds for _, seconds in together) < BOUND + 0.5
            # The breaker is open: who comes now does not wait for what others have waited for in vain.
            assert sum(seconds for _, seconds in one_by_one) < 20 * BOUND / 2
            if trouble != "slow":
                await ready(house, "redis")
        await ready(house)
        assert (await timed(client))[0] == 200
    await settled(house, tenant, 2)


@contextmanager
def _in(line: Line, trouble: str) -> Iterator[None]:
    if trouble == "slow":
        line.slow(0.4)
        try:
            yield
        finally:
            line.slow(0)
    else:
        with line.frozen() if trouble == "frozen" else line.cut():
            yield


async def test_resets_under_load_lose_and_double_nothing(house: System, to_redis: Line) -> None:
    tenant = await tenant_of(house, tokens_per_month=10**6)
    async with house.client(tenant) as client:
        statuses = Counter([(await timed(client))[0]])
        for _ in range(8):
            calls = [asyncio.create_task(timed(client)) for _ in range(15)]
            await asyncio.sleep(0.05)
            to_redis.reset()
            statuses.update([(await call)[0] for call in calls])
    assert set(statuses) <= {200, 503}
    assert statuses[200]
    await settled(house, tenant, statuses[200])


async def streams(house: System, tenant: Tenant, count: int, *, tokens: int, pace: int) -> list[WireClient]:
    """Streams that flow."""
    body = chat(f"gpt-4o-mini+pace={pace};tokens={tokens}", stream=True, max_tokens=900)
    clients = [
        await WireClient.post(house.proxy_url, CHAT, tenant.key, body, connection="close")
        for _ in range(count)
    ]
    for client in clients:
        for _ in range(4):
            await client.read_until(b"\n\n")
    return clients


async def on_the_disk(house: System) -> None:
    async def there() -> bool | None:
        waiting = await house.metric("tollkeeper_unconfirmed_settlements")
        return True if await house.metric("tollkeeper_spool_bytes") and not waiting else None

    await until(there, "all that is not settled to be in the spool")


async def off_the_disk(house: System) -> None:
    async def gone() -> bool | None:
        return None if await house.metric("tollkeeper_spool_bytes") else True

    await until(gone, "the spool to be empty")


@pytest.mark.parametrize("trouble", ["frozen", "cut"])
async def test_what_ends_without_redis_waits_on_the_disk_and_is_settled_by_what_was_used(
    house: System, to_redis: Line, trouble: str
) -> None:
    tenant = await tenant_of(house, tokens_per_month=10_000)
    clients = await streams(house, tenant, 5, tokens=30, pace=20)
    with _in(to_redis, trouble):
        for client in clients:
            assert (await client.read_all()).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
            client.leave()
        await on_the_disk(house)
    await off_the_disk(house)
    rows = await settled(house, tenant, 5)
    assert {(row["outcome"], row["output_tokens"]) for row in rows} == {("completed", 30)}


@pytest.mark.parametrize("killed", [False, True])
async def test_what_a_process_leaves_on_the_disk_is_settled_by_the_next(
    house: System, to_redis: Line, killed: bool
) -> None:
    tenant = await tenant_of(house, tokens_per_month=10_000)
    clients = await streams(house, tenant, 3, tokens=30 if killed else 800, pace=20)
    house.stop("drain")
    with to_redis.cut():
        if killed:
            for client in clients:
                await client.read_all()
            await on_the_disk(house)
            house.kill("proxy")
        else:
            await asyncio.to_thread(house.stop, "proxy")
        assert [path.stat().st_size > 0 for path in (house.settings.spool_dir).iterdir()] == [True]
    for client in clients:
        client.leave()
    house.start("proxy", "drain")
    rows = await settled(house, tenant, 3)
    assert {row["outcome"] for row in rows} == {"completed" if killed else "stopped"}
    assert {row["usage_source"] for row in rows} == {"provider" if killed else "tokenizer"}
    assert min(row["output_tokens"] for row in rows) >= 4


async def test_with_redis_and_postgres_away_nothing_that_ran_is_lost(
    house: System, to_redis: Line, to_postgres: Line
) -> None:
    tenant = await tenant_of(house, tokens_per_month=10_000)
    async with house.client(tenant) as client:
        for _ in range(5):
            assert (await timed(client))[0] == 200
        running = await streams(house, tenant, 4, tokens=30, pace=20)
        with to_postgres.cut(), to_redis.cut():
            assert (await timed(client))[0] == 503
            for each in running:
                assert (await each.read_all()).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
                each.leave()
            await on_the_disk(house)
            await asyncio.sleep(HOLD_SECONDS)
    rows = await settled(house, tenant, 9)
    assert {row["outcome"] for row in rows} == {"completed"}


async def test_what_redis_confirmed_and_then_lost_is_told_again_and_counters_come_back_exact(
    house: System, to_redis: Line
) -> None:
    tenant = await tenant_of(house, requests_per_month=8)
    house.stop("drain")
    async with house.client(tenant) as client:
        assert {(await timed(client))[0] for _ in range(3)} == {200}
        running = await streams(house, tenant, 2, tokens=30, pace=20)
        with to_redis.cut():
            await _lose_everything(house)
        assert all([(await each.read_all()).endswith(b"[DONE]\n\n\r\n0\r\n\r\n") for each in running])
        house.start("drain")
        await house.records(tenant, 5)
        await off_the_disk(house)
        # By now the ledger knows of what was settled into counters that were not rebuilt yet.
        again = Counter([(await timed(client))[0] for _ in range(5)])
    for each in running:
        each.leave()
    assert again == {200: 3, 429: 2}
    rows = await settled(house, tenant, 8)
    assert {row["outcome"] for row in rows} == {"completed"}


async def test_what_runs_takes_its_hold_again_where_redis_lost_it(house: System, to_redis: Line) -> None:
    tenant = await tenant_of(house, tokens_per_month=1500, concurrent_requests=5)
    [running] = await streams(house, tenant, 1, tokens=300, pace=20)
    with to_redis.cut():
        await _lose_everything(house)
    await ready(house)
    async with house.client(tenant) as client:
        # Of 1500, some 900 are held by what runs.
        answers = [await timed(client, max_tokens=wanted) for wanted in (900, 400)]
        assert [status for status, _ in answers] == [429, 200]
        assert (await house.counters(tenant))["ht"] > 900
    assert (await running.read_all()).endswith(b"[DONE]\n\n\r\n0\r\n\r\n")
    running.leave()
    rows = await settled(house, tenant, 2)
    assert sorted(row["output_tokens"] for row in rows) == [5, 300]


async def _lose_everything(house: System) -> None:
    redis = open_redis(house.redis_url)
    await redis.flushdb()
    await redis.aclose()


async def test_thousands_of_records_wait_while_postgres_is_away_and_each_comes_once(
    house: System, to_postgres: Line
) -> None:
    tenant = await tenant_of(house, requests_per_month=10**6)
    statuses: Counter[int] = Counter()
    async with house.client(tenant) as client:
        assert (await timed(client))[0] == 200
        [row] = await house.records(tenant, 1)
        with to_postgres.cut():
            # As if the load had gone on for as long: the same call again and again.
            await _put_again(house, tenant, row, MANY)
            for _ in range(4):
                answers = await asyncio.gather(*(timed(client) for _ in range(25)))
                statuses.update(status for status, _ in answers)
            assert (await client.get("/readyz")).status_code == 200
            assert await _waiting(house, tenant) == MANY + 100
    assert statuses == {200: 100}
    rows = await house.records(tenant, 1 + MANY + 100)
    assert len({each["request_id"] for each in rows}) == len(rows)
    await house.quiet()
    assert await house.fetch("select * from dead_letter") == []


async def _put_again(house: System, tenant: Tenant, row: dict[str, Any], count: int) -> None:
    usage = Usage(input_tokens=row["input_tokens"], output_tokens=row["output_tokens"])
    plain = {field.name: row[field.name] for field in fields(UsageRecord) if field.name in row}
    redis = open_redis(house.redis_url)
    async with redis.pipeline(transaction=False) as pipe:
        for number in range(count):
            record = UsageRecord(**{**plain, "request_id": f"req_again_{number}"}, usage=usage)
            pipe.xadd(keys.stream(partition_of(tenant.organization_id)), {"d": form.write(record)})
        await pipe.execute()
    await redis.aclose()


async def _waiting(house: System, tenant: Tenant) -> int:
    redis = open_redis(house.redis_url)
    count = int(await redis.xlen(keys.stream(partition_of(tenant.organization_id))))
    await redis.aclose()
    return count


# -- Plans that go on


def allowed(limit: int, used: int, processes: int = 1) -> int:
    """What the bound promises: this much of a limit, over all processes."""
    return (limit - used) * PERCENT // 100 // processes * processes


@pytest.mark.parametrize("trouble", ["frozen", "cut"])
async def test_a_bounded_plan_goes_on_for_just_its_allowance_and_all_of_it_is_settled(
    house: System, to_redis: Line, trouble: str
) -> None:
    tenant = await tenant_of(house, bounded=True, requests_per_month=100)
    async with house.client(tenant) as client:
        assert (await timed(client))[0] == 200
        await house.quiet()
        with _in(to_redis, trouble):
            answers = await asyncio.gather(*(timed(client) for _ in range(40)))
            answers += [await timed(client) for _ in range(5)]
        statuses = Counter(status for status, _ in answers)
        assert statuses == {200: allowed(100, 1), 503: 45 - allowed(100, 1)}
        assert max(seconds for status, seconds in answers if status == 503) < BOUND + 1
        await off_the_disk(house)
        await settled(house, tenant, 1 + allowed(100, 1))
        # What was used without Redis counts now: as many pass as the month has left.
        again = Counter([(await timed(client))[0] for _ in range(85)])
    assert again == {200: 99 - allowed(100, 1), 429: 85 - 99 + allowed(100, 1)}


async def test_tokens_let_on_never_pass_the_allowance(house: System, to_redis: Line) -> None:
    tenant = await tenant_of(house, bounded=True, tokens_per_month=2000)
    async with house.client(tenant) as client:
        assert (await timed(client))[0] == 200
        await settled(house, tenant, 1)
        used = (await house.counters(tenant))["t"]
        with to_redis.cut():
            for _ in range(40):
                assert (await timed(client, model="gpt-4o-mini+tokens=20"))[0] in (200, 503)
        await off_the_disk(house)
    await house.quiet()
    spent = (await house.counters(tenant))["t"] - used
    assert 0 < allowed(2000, used) - 60 < spent <= allowed(2000, used)


async def test_over_several_processes_the_allowance_is_parted(house: System, to_redis: Line) -> None:
    with beside(house) as other:
        other.start("proxy")
        tenant = await tenant_of(house, bounded=True, proxies=2, requests_per_month=100)
        async with house.client(tenant) as client, other.client(tenant) as client_2:
            for each in (client, client_2):
                assert (await timed(each))[0] == 200
            await house.quiet()
            with to_redis.cut():
                answers = await asyncio.gather(
                    *(timed(each) for each in (client, client_2) for _ in range(30))
                )
        passed = Counter(status for status, _ in answers)[200]
        # The first of them saw one more left.
        assert passed == 99 * PERCENT // 100 // 2 + 98 * PERCENT // 100 // 2
        await settled(house, tenant, 2 + passed)


async def test_whoever_was_not_seen_lately_is_refused_though_its_plan_goes_on(
    house: System, to_redis: Line
) -> None:
    tenant = await tenant_of(house, bounded=True, requests_per_month=100)
    async with house.client(tenant) as client:
        with to_redis.cut():
            assert {(await timed(client))[0] for _ in range(5)} == {503}


async def test_an_organization_without_limits_goes_on_at_a_stated_pace(house: System, to_redis: Line) -> None:
    tenant = await tenant_of(house, bounded=True)
    async with house.client(tenant) as client:
        assert (await timed(client))[0] == 200
        with to_redis.cut():
            answers = await asyncio.gather(*(timed(client) for _ in range(50)))
    assert Counter(status for status, _ in answers) == {200: 30, 503: 20}
    await settled(house, tenant, 31)


async def test_a_process_killed_while_it_let_requests_on_has_one_record_of_each(
    house: System, to_redis: Line
) -> None:
    tenant = await tenant_of(house, bounded=True, requests_per_month=100)
    async with house.client(tenant) as client:
        assert (await timed(client))[0] == 200
        await house.quiet()
        with to_redis.cut():
            await ready(house, "redis")
            for _ in range(3):
                assert (await timed(client))[0] == 200
            await on_the_disk(house)
            running = await streams(house, tenant, 3, tokens=800, pace=50)
            house.kill("proxy")
    for each in running:
        each.leave()
    house.start("proxy")
    rows = await settled(house, tenant, 7)
    assert Counter(row["outcome"] for row in rows) == {"completed": 4, "expired": 3}


async def test_a_full_spool_refuses_what_is_new_and_loses_nothing(house: System, to_redis: Line) -> None:
    with beside(house, TOLLKEEPER_SPOOL_MAX_BYTES="4096") as small:
        small.start("proxy")
        tenant = await tenant_of(small, bounded=True, proxies=2)
        async with small.client(tenant) as client:
            assert (await timed(client))[0] == 200
            await small.quiet()
            with to_redis.cut():
                passed = [status for status, _ in [await timed(client) for _ in range(12)]].count(200)
                assert 0 < passed < 12
                assert await small.metric("tollkeeper_spool_full") == 1
                await ready(small, "redis", "too")
            await off_the_disk(small)
            assert await small.metric("tollkeeper_spool_full") == 0
            assert (await timed(client))[0] == 200
        await settled(small, tenant, passed + 2)


async def counted(house: System, proxies: int) -> None:
    async def seen() -> bool | None:
        return True if await house.metric("tollkeeper_proxies") == proxies else None

    await until(seen, f"{proxies} proxies to know of each other")
