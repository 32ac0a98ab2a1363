"""One running data plane for all tests of the proxy; the plumbing is tried on both event loops."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import uvloop

from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from tests.system import System, prepare, system

_HERE = Path(__file__).parent
_PLUMBING = (_HERE / "test_pipeline.py", _HERE / "pipeline", _HERE / "upstream")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if any(item.path.is_relative_to(path) for path in _PLUMBING):
        factories["uvloop"] = uvloop.new_event_loop
    return factories


@pytest.fixture(scope="session")
def house(postgres: Postgres, valkey: Valkey) -> Iterator[System]:
    """Simulator, proxy and drain, started once; each test makes tenants of its own. Redis is never emptied under it."""
    name = "test_house"
    asyncio.run(postgres.create_database(name))
    asyncio.run(prepare(postgres.url(name)))
    with system(postgres.url(name), valkey.url(5)) as made:
        made.start("upstream", "drain", "proxy")
        yield made
