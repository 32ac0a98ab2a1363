"""Fixtures of the console's tests: a console on a socket, a migrated database, an empty Redis."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ledger.database import Pool, close_pool, open_pool
from tests.console.running import Console, Fields, Record, serving
from tests.usage import enter


@pytest.fixture
async def console(database_url: str, redis_url: str) -> AsyncIterator[Console]:
    async with serving(database_url, redis_url) as console:
        yield console


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database_url)
    yield pool
    await close_pool(pool)


@pytest.fixture
async def organization(console: Console) -> Fields:
    return await console.make("organizations", name="Atelier")


@pytest.fixture
def record(pool: Pool) -> Record:
    """Writes a usage record straight into the ledger."""

    async def write(request_id: str, organization_id: str, **fields: Any) -> None:
        await enter(pool, request_id, organization_id, **fields)

    return write
