"""Fixtures of invoicing: a world with a seller."""

from collections.abc import AsyncIterator

import pytest

from billing_worker.invoicing.office import office
from config.settings import Settings
from ledger.database import Pool
from tests.billing_worker.invoicing.world import World


@pytest.fixture
async def world(pool: Pool, settings: Settings) -> AsyncIterator[World]:
    async with office(pool, settings) as clerk:
        made = World(pool, clerk)
        await made.open()
        yield made
