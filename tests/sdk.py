"""The official SDK against a running proxy, by its synchronous and its asynchronous client alike.

Clients are typed Any: their overloads want literal arguments, and tests put these together at run time.
"""

import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from openai import AsyncOpenAI, OpenAI

from tests.recordings import TOKENS, told
from tests.system import System, Tenant


@dataclass
class Sdk:
    """A client of one kind, and whose key it has."""

    client: Any
    house: System
    tenant: Tenant

    async def get(self, answer: Any) -> Any:
        """What a call returns, by either kind of client."""
        return await answer if inspect.isawaitable(answer) else answer

    async def all(self, stream: Any) -> list[Any]:
        """All that a stream or a list brings."""
        if not hasattr(stream, "__aiter__"):
            stream = await self.get(stream)
        return [item async for item in stream] if hasattr(stream, "__aiter__") else list(stream)

    async def finish(self, manager: Any, method: str) -> Any:
        """Reads one of the SDK's stream helpers to its end and asks it for the whole."""
        if hasattr(manager, "__aenter__"):
            async with manager as stream:
                return await getattr(stream, method)()
        with manager as stream:
            return getattr(stream, method)()

    async def row(self) -> dict[str, Any]:
        """The record of the one call that was made."""
        [row] = await self.house.records(self.tenant, 1)
        return row

    def by(self, tenant: Tenant) -> "Sdk":
        return Sdk(self.client.with_options(api_key=tenant.key), self.house, tenant)


@asynccontextmanager
async def open_sdk(house: System, kind: str) -> AsyncIterator[Sdk]:
    """For a new tenant; `kind` is sync or async. It tries nothing twice."""
    tenant = await house.tenant()
    options: dict[str, Any] = {
        "base_url": f"{house.proxy_url}/v1",
        "websocket_base_url": f"{house.proxy_url.replace('http', 'ws', 1)}/v1",
        "api_key": tenant.key,
        "max_retries": 0,
    }
    if kind == "sync":
        with OpenAI(**options) as client:
            yield Sdk(client, house, tenant)
    else:
        async with AsyncOpenAI(**options) as async_client:
            yield Sdk(async_client, house, tenant)


def check(row: dict[str, Any], usage: Any) -> None:
    """The record is of the usage that the SDK saw."""
    assert {name: row[name] for name in TOKENS} == told(usage.model_dump())
    assert (row["status"], row["usage_source"], row["outcome"]) == (200, "provider", "completed")
    assert row["price_nano"] > 0


def sim(**switches: int) -> dict[str, str]:
    return {"x-sim": ";".join(f"{name}={value}" for name, value in switches.items())}
