"""Sessions of a proxy that is stopped, or killed."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection

from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from tests.proxy.realtime.stage import SECONDS, answer_each, client, heard, told, upstream, usage
from tests.system import System, prepare, system, until

GRACE_SECONDS = 3


@pytest.fixture(scope="module")
def mortal(postgres: Postgres, valkey: Valkey) -> Iterator[System]:
    name = "test_stops"
    asyncio.run(postgres.create_database(name))
    asyncio.run(prepare(postgres.url(name)))
    with system(
        postgres.url(name),
        valkey.url(8),
        TOLLKEEPER_HOLD_TTL_SECONDS="3",
        TOLLKEEPER_SHUTDOWN_GRACE_SECONDS=str(GRACE_SECONDS),
    ) as made:
        made.start("drain")
        yield made


@pytest.fixture(autouse=True)
def running(mortal: System) -> Iterator[None]:
    mortal.start("proxy")
    yield
    if "proxy" in mortal.children:
        mortal.stop("proxy")


async def stopped(mortal: System, connection: ClientConnection) -> tuple[int | None, list[str]]:
    """Stops the proxy: the code that the session is closed with, and what came before."""
    stopping = asyncio.get_running_loop().run_in_executor(None, mortal.stop, "proxy")
    async with asyncio.timeout(SECONDS):
        kinds = [json.loads(message)["type"] async for message in connection]
        await stopping
    return connection.close_code, kinds


async def test_an_idle_session_is_told_that_the_server_goes_away(mortal: System) -> None:
    tenant = await mortal.tenant()
    async with upstream(mortal, answer_each) as stage, client(mortal, tenant) as connection:
        await heard(connection)
        assert await stopped(mortal, connection) == (1001, [])
        await asyncio.wait_for(stage.done.wait(), SECONDS)
    [row] = await mortal.records(tenant, 1)
    assert (row["outcome"], row["price_nano"]) == ("stopped", 0)
    await mortal.quiet()


async def test_a_response_under_way_comes_to_its_end_before_the_server_goes(mortal: System) -> None:
    tenant = await mortal.tenant()

    async def play(connection: ServerConnection) -> None:
        await connection.recv()
        await told(connection, "response.created", response={"id": "resp_1"})
        await asyncio.sleep(1)
        await told(connection, "response.done", response={"id": "resp_1", "usage": usage(5)})

    async with upstream(mortal, play), client(mortal, tenant) as connection:
        await told(connection, "response.create")
        await heard(connection)
        assert await stopped(mortal, connection) == (1001, ["response.done"])
    [row] = await mortal.records(tenant, 1)
    assert (row["outcome"], row["usage_source"], row["output_tokens"]) == ("completed", "provider", 5)
    await mortal.quiet()


async def test_a_response_that_takes_too_long_is_cut_and_paid(mortal: System) -> None:
    tenant = await mortal.tenant()

    async def play(connection: ServerConnection) -> None:
        await connection.recv()
        await told(connection, "response.created", response={"id": "resp_1"})
        await told(connection, "response.output_text.delta", response_id="resp_1", delta="one two three")

    async with upstream(mortal, play), client(mortal, tenant) as connection:
        await told(connection, "response.create")
        await heard(connection)
        await heard(connection)
        assert await stopped(mortal, connection) == (1001, [])
    [row] = await mortal.records(tenant, 1)
    assert (row["outcome"], row["usage_source"], row["output_tokens"]) == ("stopped", "tokenizer", 3)
    await mortal.quiet()


async def test_a_session_of_a_killed_proxy_is_recorded_once_from_its_last_renewal(mortal: System) -> None:
    tenant = await mortal.tenant()

    async def play(connection: ServerConnection) -> None:
        await connection.recv()
        await told(connection, "response.created", response={"id": "resp_1"})
        for _ in range(50):
            await told(connection, "response.output_text.delta", response_id="resp_1", delta=" word")

    async def renewed() -> bool | None:
        redis = Redis.from_url(mortal.redis_url)
        names = [key async for key in redis.scan_iter("*:hold:req_*") if await redis.type(key) == b"hash"]
        delivered = [await redis.hget(name, "delivered") for name in names]
        await redis.aclose()
        return True if b"50" in delivered else None

    async with upstream(mortal, play) as stage, client(mortal, tenant) as connection:
        await told(connection, "response.create")
        for _ in range(51):
            await heard(connection)
        await until(renewed, "the renewal of the hold")
        mortal.kill("proxy")
        await asyncio.wait_for(stage.done.wait(), SECONDS)
    [row] = await mortal.records(tenant, 1)
    assert (row["outcome"], row["usage_source"], row["output_tokens"]) == ("expired", "hold", 50)
    await mortal.quiet()
