"""The ledger's tests work on a migrated database of their own."""

from collections.abc import AsyncIterator

import pytest

from ledger.database import Connection, Pool, close_pool, open_pool, reading
from ledger.organizations import Organization, create


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database_url)
    yield pool
    await close_pool(pool)


@pytest.fixture
async def connection(pool: Pool) -> AsyncIterator[Connection]:
    async with reading(pool) as connection:
        yield connection


@pytest.fixture
async def organization(connection: Connection) -> Organization:
    return await create(connection, "test", name="Atelier")
