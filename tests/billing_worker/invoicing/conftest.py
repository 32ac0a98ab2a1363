"""Fixtures of invoicing: a world with a seller."""

import pytest

from billing_worker.invoicing.clerk import Clerk
from ledger.database import Pool
from tests.billing_worker.invoicing.plain import PlainRater, QuickPress
from tests.billing_worker.invoicing.world import World


@pytest.fixture
async def world(pool: Pool) -> World:
    made = World(pool, Clerk(pool, PlainRater(), QuickPress()))
    await made.open()
    return made
