"""One data plane for all tests of this folder; its upstream behaves as each test says."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from tests.proxy.flow.stage import LARGE, Stage
from tests.proxy.upstream.raw_server import Peer, RawServer
from tests.system import prepare, system


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def played(postgres: Postgres, valkey: Valkey) -> AsyncIterator[Stage]:
    name = "test_flow"
    await postgres.create_database(name)
    await prepare(postgres.url(name))

    async def behave(peer: Peer) -> None:
        await made.behave(peer)

    server = RawServer(behave)
    origin = await server.start()
    url = f"http://{origin.authority.decode()}/v1"
    settings = {
        "OPENAI_BASE_URL": url,
        "TOLLKEEPER_MAX_UPLOAD_BYTES": str(2 * LARGE),
        "TOLLKEEPER_SHUTDOWN_GRACE_SECONDS": "1",
    }
    with system(postgres.url(name), valkey.url(12), **settings) as house:
        house.start("drain", "proxy")
        made = Stage(house, server, lambda _: asyncio.sleep(0), await house.tenant())
        yield made
    await server.stop()


@pytest_asyncio.fixture(loop_scope="package")
async def stage(played: Stage) -> Stage:
    """With a tenant of the test's own."""
    played.tenant = await played.house.tenant()
    played.heads.clear()
    return played
