"""A data plane whose upstream is played by the tests themselves."""

import asyncio
from collections.abc import Iterator

import pytest

from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from tests.proxy.test_failures import plane
from tests.system import System, prepare, system

__all__ = ["plane"]

HOLD_SECONDS = 3


@pytest.fixture(scope="session")
def theatre(postgres: Postgres, valkey: Valkey) -> Iterator[System]:
    """Proxy and drain; where the upstream should be, each test plays its own (stage.upstream)."""
    name = "test_theatre"
    asyncio.run(postgres.create_database(name))
    asyncio.run(prepare(postgres.url(name)))
    with system(postgres.url(name), valkey.url(7), TOLLKEEPER_HOLD_TTL_SECONDS=str(HOLD_SECONDS)) as made:
        made.start("drain", "proxy")
        yield made
