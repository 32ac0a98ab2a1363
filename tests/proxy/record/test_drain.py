"""The drain: each record once, whatever is delivered again; what can't be stored is kept aside and holds up nobody."""

import asyncio
import json
import random
import string
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from ledger.database import DatabaseUnavailable, Pool, close_pool, open_pool
from ledger.migrations import migrate
from ledger.usage import Usage
from ledger.usage_record import UsageRecord
from proxy.pipeline import RedisPipeline
from proxy.quota import keys
from proxy.record import form
from proxy.record.batches import Batch, Batches, decode
from proxy.record.drain import Drain
from proxy.record.stream import Entry, UsageStreams

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PARTITION = 5
GOOD = UsageRecord(
    request_id="req_good",
    occurred_at=NOW,
    organization_id="org_1",
    project_id=None,
    key_id="key_1",
    member_id=None,
    endpoint="/v1/chat/completions",
    model="gpt-4o-mini",
    upstream="api.openai.com",
    stream=False,
    status=200,
    outcome="completed",
    usage=Usage(input_tokens=7, output_tokens=5),
    usage_source="provider",
    cost_nano_usd=4050,
    cost_nano_eur=3500,
    price_nano=3500,
    price_nano_eur=3500,
    currency="EUR",
    usd_per_eur=Decimal("1.16"),
    price_ref="gpt-4o-mini@2024-07-18",
    request_bytes=80,
    response_bytes=400,
    first_byte_ms=12,
    duration_ms=30,
    search_term=None,
    price_nano_tokens=2500,
)


@pytest.fixture
async def pool(empty_database_url: str) -> AsyncIterator[Pool]:
    await migrate(empty_database_url)
    pool = await open_pool(empty_database_url, size=4)
    yield pool
    await close_pool(pool)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def pipeline(redis_url: str) -> AsyncIterator[RedisPipeline]:
    made = RedisPipeline(redis_url, timeout=5)
    await made.connect()
    yield made
    await made.close()


def drain(pipeline: RedisPipeline, pool: Pool, name: str = "one") -> Drain:
    return Drain(UsageStreams(pipeline, name), Batches(pool), lambda: NOW)


def named(request_id: str, **changes: Any) -> bytes:
    return form.write(replace(GOOD, request_id=request_id, **changes))


def bent(**changes: Any) -> bytes:
    """A record that no proxy of ours writes."""
    return json.dumps({**json.loads(form.write(replace(GOOD, request_id="req_bent"))), **changes}).encode()


async def put(redis: Redis, *payloads: bytes) -> None:
    pipeline = redis.pipeline(transaction=False)
    for payload in payloads:
        pipeline.xadd(keys.stream(PARTITION), {"d": payload})
    await pipeline.execute()


async def stored(pool: Pool) -> list[str]:
    return [row["request_id"] for row in await pool.fetch("select request_id from usage order by request_id")]


async def dead(pool: Pool) -> list[asyncpg.Record]:
    return list(await pool.fetch("select * from dead_letter order by id"))


async def emptied(redis: Redis) -> bool:
    stream = keys.stream(PARTITION)
    return not await redis.xlen(stream) and not (await redis.xpending(stream, "drain"))["pending"]


NOISE = "".join(random.Random(1).choices(string.ascii_letters, k=20_000))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\x00", "not JSON"),
        (b"7", "not an object"),
        (b"{}", "version"),
        (bent(v=2), "version 2"),
        (bent(tokens={"input_tokens": -1}), "counts"),
        (bent(tokens={"a\0b": 1}), "a�b"),
        (bent(tokens=[1]), "attribute"),
        (bent(quantities=[1]), "quantities"),
        (bent(quantities={"images": "two"}), "quantities"),
        (bent(occurred_at="today"), "TypeError"),
        (bent(occurred_at=2**63 - 1), ""),
        (bent(occurred_at=10**23), ""),
        (bent(occurred_at=0), "out of bounds"),
        (bent(usd_per_eur="much"), "InvalidOperation"),
        (bent(usd_per_eur="1e30"), "NumericValueOutOfRange"),
        (bent(model=None), "NotNull"),
        (bent(model="a\0b"), "CharacterNotInRepertoire"),
        (bent(model=["a", "b"]), ""),
        (bent(stream="yes"), ""),
        (bent(status=70_000), ""),
        (bent(usage_source="guess"), "CheckViolation"),
        (bent(price_nano=2**63), ""),
        (bent(request_id=NOISE), "ProgramLimitExceeded"),
    ],
    ids=range(24),
)
async def test_a_record_that_cannot_be_stored_is_kept_with_the_reason_and_its_neighbours_are_stored(
    redis: Redis, pipeline: RedisPipeline, pool: Pool, payload: bytes, reason: str
) -> None:
    await put(redis, named("req_1"), payload, named("req_2"), named("req_3"))
    assert await drain(pipeline, pool).once() == 4
    assert await stored(pool) == ["req_1", "req_2", "req_3"]
    [letter] = await dead(pool)
    assert letter["payload"] == payload
    assert reason in letter["reason"]
    assert letter["reason"]
    assert letter["stream"] == keys.stream(PARTITION)
    assert await emptied(redis)


async def test_an_entry_without_a_record_is_kept_too(
    redis: Redis, pipeline: RedisPipeline, pool: Pool
) -> None:
    await redis.xadd(keys.stream(PARTITION), {"x": "y"})
    await put(redis, named("req_1"))
    await drain(pipeline, pool).once()
    assert await stored(pool) == ["req_1"]
    assert [letter["reason"] for letter in await dead(pool)] == ["the entry has no record"]


async def test_a_record_is_stored_as_it_was_written(
    redis: Redis, pipeline: RedisPipeline, pool: Pool
) -> None:
    record = replace(
        GOOD,
        usage=Usage(9, 3, 2, 8, 4, 1, 1, 1, 1, {"images": 2}),
        search_term="a “label”",
        stream=True,
    )
    await put(redis, form.write(record))
    await drain(pipeline, pool).once()
    row = dict((await pool.fetch("select * from usage"))[0])
    for name in (
        "request_id",
        "occurred_at",
        "stream",
        "price_nano",
        "price_nano_tokens",
        "usd_per_eur",
        "status",
    ):
        assert row[name] == getattr(record, name)
    for name in ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "quantities"):
        assert row[name] == getattr(record.usage, name)


async def test_what_is_delivered_again_is_stored_once(
    redis: Redis, pipeline: RedisPipeline, pool: Pool
) -> None:
    await put(redis, named("req_1"), named("req_1"))
    one = drain(pipeline, pool)
    await one.once()
    await put(redis, named("req_1"), named("req_2"))
    await one.once()
    assert await stored(pool) == ["req_1", "req_2"]
    assert await dead(pool) == []
    assert await emptied(redis)


async def test_two_drains_at_once_store_each_record_once(
    redis: Redis, pipeline: RedisPipeline, pool: Pool
) -> None:
    names = [f"req_{number:04}" for number in range(400)]
    await put(redis, *(named(name) for name in names))
    streams = UsageStreams(pipeline, "third")
    taken = await streams.read(100, 100)
    batches = Batches(pool)
    # The same batch twice at once, in opposite orders, beside two drains.
    await asyncio.gather(
        drain(pipeline, pool, "one").once(),
        drain(pipeline, pool, "two").once(),
        batches.store(decode(taken, NOW)),
        batches.store(decode(taken[::-1], NOW)),
    )
    await drain(pipeline, pool, "one").once()
    assert await stored(pool) == names


async def test_months_are_made_as_records_come(redis: Redis, pipeline: RedisPipeline, pool: Pool) -> None:
    late = NOW - timedelta(days=400)
    await put(
        redis,
        named("req_1", occurred_at=late),
        named("req_2"),
        named("req_3", occurred_at=NOW + timedelta(hours=23)),
    )
    await asyncio.gather(drain(pipeline, pool, "one").once(), drain(pipeline, pool, "two").once())
    assert await stored(pool) == ["req_1", "req_2", "req_3"]


class Unsteady(Batches):
    """Postgres as it is when it goes away for a while."""

    away = True
    refused = 0

    async def store(self, batch: Batch) -> Any:
        if self.away:
            self.refused += 1
            raise DatabaseUnavailable("away")
        return await super().store(batch)


@asynccontextmanager
async def running(pipeline: RedisPipeline, batches: Batches) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(Drain(UsageStreams(pipeline, "one"), batches, lambda: NOW).run(stop))
    yield
    stop.set()
    async with asyncio.timeout(10):
        await task


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await happened():
            await asyncio.sleep(0.02)


async def test_while_postgres_is_away_no_more_is_read_than_some_batches_and_all_of_it_is_stored_afterwards(
    redis: Redis, pipeline: RedisPipeline, pool: Pool
) -> None:
    await put(redis, *(named(f"req_{number:05}") for number in range(15_000)))
    batches = Unsteady(pool)
    async with running(pipeline, batches):
        async with asyncio.timeout(30):
            while batches.refused < 3:
                await asyncio.sleep(0.02)
        pending = (await redis.xpending(keys.stream(PARTITION), "drain"))["pending"]
        assert 1_000 <= pending <= 4 * 1_200
        batches.away = False
        await until(lambda: emptied(redis))
    assert len(await stored(pool)) == 15_000


async def test_no_command_that_the_drain_sends_reads_or_removes_many_entries(
    redis: Redis, pipeline: RedisPipeline, pool: Pool
) -> None:
    await put(redis, *(named(f"req_{number:05}") for number in range(3_000)))
    asked: list[int] = []
    async with redis.monitor() as monitor, running(pipeline, Batches(pool)):
        await until(lambda: emptied(redis))
        async for command in monitor.listen():
            words = command["command"].split(" ")
            if words[0] == "XREADGROUP":
                streams = words[words.index("STREAMS") + 1 :]
                asked.append(int(words[words.index("COUNT") + 1]) * len(streams) // 2)
            elif words[0] == "XDEL":
                asked.append(len(words) - 2)
            if sum(count for count in asked) >= 6_000:
                break
    assert max(asked) <= 200


async def test_a_record_alone_is_refused_and_a_fault_of_the_database_is_not_taken_for_one(pool: Pool) -> None:
    await pool.execute("alter table usage rename column model to model_")
    with pytest.raises(asyncpg.UndefinedColumnError):
        await Batches(pool).store(decode([Entry("s", "1-1", named("req_1"))], NOW))
    assert await dead(pool) == []


class Confused(Batches):
    """What a client library may do once, when its server vanishes in mid-word."""

    confused = True

    async def store(self, batch: Batch) -> Any:
        if self.confused:
            self.confused = False
            raise asyncpg.InternalClientError("another operation is in progress")
        return await super().store(batch)


async def test_a_failure_that_nobody_foresaw_does_not_end_the_drain(
    redis: Redis, pipeline: RedisPipeline, pool: Pool
) -> None:
    await put(redis, named("req_1"))
    async with running(pipeline, Confused(pool)):
        await until(lambda: emptied(redis))
    assert await stored(pool) == ["req_1"]


async def test_what_a_dead_consumer_left_is_taken_over_however_much_it_is(
    redis: Redis, pipeline: RedisPipeline, pool: Pool
) -> None:
    await put(redis, *(named(f"req_{number:04}") for number in range(3_000)))
    taken = await UsageStreams(pipeline, "dead").read(3_000, 100)
    assert len(taken) == 3_000
    # As if that had been a while ago.
    claim = ("XCLAIM", keys.stream(PARTITION), "drain", "dead", 0)
    await pipeline.execute(*claim, *(entry.id for entry in taken), "IDLE", 60_000, "JUSTID")
    async with running(pipeline, Batches(pool)):
        await until(lambda: emptied(redis))
    assert len(await stored(pool)) == 3_000
