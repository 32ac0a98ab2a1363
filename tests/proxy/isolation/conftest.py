"""Two tenants beside each other."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.proxy.isolation.actor import Actor
from tests.system import System, Tenant


@pytest.fixture(scope="session")
def tenants(house: System) -> tuple[Tenant, Tenant]:
    async def both() -> tuple[Tenant, Tenant]:
        return await house.tenant(unpriced_models="allow"), await house.tenant(unpriced_models="allow")

    return asyncio.run(both())


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    # Nothing here is encrypted, and to read whom to trust would take longer than a test.
    async with httpx.AsyncClient(timeout=30, verify=False) as client:
        yield client


@pytest.fixture
def owner(house: System, tenants: tuple[Tenant, Tenant], client: httpx.AsyncClient) -> Actor:
    return Actor(house, tenants[0], client)


@pytest.fixture
def stranger(house: System, tenants: tuple[Tenant, Tenant], client: httpx.AsyncClient) -> Actor:
    return Actor(house, tenants[1], client)
