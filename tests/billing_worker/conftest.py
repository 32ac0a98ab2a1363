"""Fixtures of the worker's tests: a migrated database, settings, and worker processes of their own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from config.settings import Settings, load_settings
from ledger.database import Pool, close_pool, open_pool
from tests.billing_worker.workers import Workers


@pytest.fixture
def settings(database_url: str) -> Settings:
    return load_settings({"DATABASE_URL": database_url})


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database_url)
    yield pool
    await close_pool(pool)


@pytest.fixture
def workers(database_url: str) -> Iterator[Workers]:
    """Worker processes; those that still run at the end are killed."""
    made = Workers(database_url)
    yield made
    made.kill()
