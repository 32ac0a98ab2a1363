"""kill -9 of the proxy and of the drain: afterwards every request has exactly one record."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from ledger.database import close_pool, open_pool
from proxy.pipeline import RedisPipeline
from proxy.record.batches import Batches, decode
from proxy.record.stream import UsageStreams
from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from tests.proxy.test_disconnects import under_way
from tests.system import System, Tenant, prepare, system, until
from tests.wire import WireClient

CHAT = "/v1/chat/completions"
HOLD_SECONDS = 3


def body(model: str, **members: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Go on"}], "max_tokens": 900} | members


@pytest.fixture
def fragile(postgres: Postgres, valkey: Valkey) -> Iterator[System]:
    """A data plane of the test's own, with short-lived holds."""
    name = "test_kills"
    asyncio.run(postgres.create_database(name))
    asyncio.run(prepare(postgres.url(name)))
    with system(postgres.url(name), valkey.url(6), TOLLKEEPER_HOLD_TTL_SECONDS=str(HOLD_SECONDS)) as made:
        made.start("upstream", "proxy", "drain")
        yield made
    asyncio.run(_drop(postgres, name))


async def _drop(postgres: Postgres, name: str) -> None:
    connection = await asyncpg.connect(postgres.url("postgres"), timeout=5)
    await connection.execute(f'drop database "{name}" with (force)')
    await connection.close(timeout=5)


async def test_requests_of_a_killed_proxy_are_recorded_once_from_their_last_renewal(fragile: System) -> None:
    tenant = await fragile.tenant(limits={"concurrent_requests": 20}, unpriced_models="allow")
    clients = [
        await WireClient.post(
            fragile.proxy_url, CHAT, tenant.key, body("gpt-4o-mini+pace=50;tokens=800", stream=True)
        )
        for _ in range(5)
    ]
    delivered = 0
    for client in clients:
        for _ in range(60):
            await client.read_until(b"\n\n")
            delivered += 1
    fragile.kill("proxy")
    for client in clients:
        client.leave()
    fragile.start("proxy")
    rows = await fragile.records(tenant, 5)
    assert {row["outcome"] for row in rows} == {"expired"}
    assert {row["usage_source"] for row in rows} == {"hold"}
    # What a killed proxy delivered after its last renewal is not known: at most a third of a hold's life.
    most_unknown = 5 * (HOLD_SECONDS / 3 + 0.5) / 0.05
    assert delivered - most_unknown <= sum(row["output_tokens"] for row in rows) <= delivered + 5 * 30
    await fragile.quiet()
    # Nothing of the dead is still held: all twenty places are free again.
    async with fragile.client(tenant) as living:
        answers = await asyncio.gather(
            *(living.post(CHAT, json=body("gpt-4o-mini+delay=300;tokens=2")) for _ in range(20))
        )
    assert {answer.status_code for answer in answers} == {200}


async def test_what_a_killed_proxy_had_made_is_charged_as_it_was_asked_for(fragile: System) -> None:
    tenant = await fragile.tenant(currency="USD")
    slow = {"x_sim": "delay=30000"}
    picture = {"model": "dall-e-2", "prompt": "A cat", "size": "256x256", "n": 2}
    drawn = {"model": "gpt-image-1", "prompt": "A cat", "size": "1024x1024", "quality": "low"}
    spoken = {"model": "tts-1", "voice": "alloy", "input": "x" * 100}
    clients = []
    for path, asked in (
        ("images/generations", picture),
        ("images/generations", drawn),
        ("audio/speech", spoken),
    ):
        name = f"killed-{asked['model']}"
        clients.append(
            await WireClient.post(
                fragile.proxy_url, f"/v1/{path}", tenant.key, asked, x_client_request_id=name, **slow
            )
        )
        await under_way(fragile, name)
    fragile.kill("proxy")
    for client in clients:
        client.leave()
    fragile.start("proxy")
    rows = {row["model"]: row for row in await fragile.records(tenant, 3)}
    assert {(row["outcome"], row["usage_source"]) for row in rows.values()} == {("expired", "hold")}
    assert json.loads(rows["dall-e-2"]["quantities"]) == {"image_256x256": 2}
    assert json.loads(rows["tts-1"]["quantities"]) == {"characters": 100}
    assert rows["gpt-image-1"]["image_output_tokens"] == rows["gpt-image-1"]["output_tokens"] == 272
    assert rows["dall-e-2"]["price_nano"] == 2 * 16_000_000
    assert rows["tts-1"]["price_nano"] == 100 * 15_000
    tokens = rows["gpt-image-1"]["input_tokens"]
    assert rows["gpt-image-1"]["price_nano"] == tokens * 5_000 + 272 * 40_000
    await fragile.quiet()


async def test_a_drain_killed_in_mid_batch_loses_and_doubles_nothing(fragile: System) -> None:
    tenant = await fragile.tenant(unpriced_models="allow")
    fragile.stop("drain")
    lock = await asyncpg.connect(fragile.database_url, timeout=5)
    watcher = await asyncpg.connect(fragile.database_url, timeout=5)
    transaction = lock.transaction()
    await transaction.start()
    await lock.execute("lock table usage in share mode")
    await _calls(fragile, tenant, 40)
    fragile.start("drain")

    async def stuck_in_its_batch() -> bool | None:
        waiting = await watcher.fetchval(
            "select count(*) from pg_stat_activity where datname = current_database()"
            " and wait_event_type = 'Lock' and query like 'insert into usage%'"
        )
        return True if waiting else None

    await until(stuck_in_its_batch, "the drain to be in the middle of its batch")
    fragile.kill("drain")
    await transaction.rollback()
    await lock.close(timeout=5)
    await watcher.close(timeout=5)
    await _calls(fragile, tenant, 10)
    fragile.start("drain")
    rows = await fragile.records(tenant, 50)
    assert len({row["request_id"] for row in rows}) == 50
    await fragile.quiet()


async def test_a_batch_killed_between_commit_and_acknowledgement_is_not_stored_twice(fragile: System) -> None:
    tenant = await fragile.tenant(unpriced_models="allow")
    fragile.stop("drain")
    await _calls(fragile, tenant, 10)
    await _store_without_acknowledging(fragile)
    await fragile.records(tenant, 10)
    fragile.start("drain")
    await fragile.quiet()
    await fragile.records(tenant, 10)
    assert await fragile.fetch("select * from dead_letter") == []


async def _store_without_acknowledging(fragile: System) -> None:
    """What a drain does that dies right after its commit."""
    redis = RedisPipeline(fragile.redis_url, timeout=5)
    await redis.connect()
    pool = await open_pool(fragile.database_url, size=1)
    streams = UsageStreams(redis, "a drain that dies")
    entries = await streams.read(100, 1000)
    assert len(entries) == 10
    await Batches(pool).store(decode(entries, datetime.now(UTC)))
    await close_pool(pool)
    await redis.close()


async def test_a_stopped_proxy_settles_what_still_runs(fragile: System) -> None:
    tenant = await fragile.tenant(unpriced_models="allow")
    client = await WireClient.post(
        fragile.proxy_url, CHAT, tenant.key, body("gpt-4o-mini+pace=100;tokens=800", stream=True)
    )
    for _ in range(5):
        await client.read_until(b"\n\n")
    fragile.stop("proxy")
    client.leave()
    [row] = await fragile.records(tenant, 1)
    assert row["outcome"] == "stopped"
    assert row["usage_source"] == "tokenizer"
    assert row["output_tokens"] >= 4


async def _calls(fragile: System, tenant: Tenant, count: int) -> None:
    async with fragile.client(tenant) as client:
        answers = await asyncio.gather(
            *(client.post(CHAT, json=body("gpt-4o-mini+tokens=3")) for _ in range(count))
        )
    assert {answer.status_code for answer in answers} == {200}
