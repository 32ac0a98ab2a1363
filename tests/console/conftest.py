"""The console on a socket of its own, with a migrated database and an empty Redis."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import uvicorn

from config.settings import load_settings
from console.app import create_app
from ledger.database import Pool, close_pool, open_pool

ADMIN_TOKEN = "an admin token of the tests"
KEY_SECRET = "a key secret of the tests"


@dataclass(frozen=True)
class Console:
    """Clients of one running console: as administrator, and as nobody."""

    admin: httpx.AsyncClient
    nobody: httpx.AsyncClient

    async def make(self, path: str, **fields: Any) -> dict[str, Any]:
        """Creates an object, and gives it."""
        answer = await self.admin.post(f"/api/admin/{path}", json=fields)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def put(self, organization_id: str, **fields: Any) -> httpx.Response:
        return await self.admin.put(f"/api/admin/organizations/{organization_id}/subscription", json=fields)

    async def mine(self, key: str, path: str) -> httpx.Response:
        return await self.nobody.get(f"/api/me/{path}", headers={"authorization": f"Bearer {key}"})


@asynccontextmanager
async def serving(database_url: str, redis_url: str) -> AsyncIterator[Console]:
    settings = load_settings(
        {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "TOLLKEEPER_ADMIN_TOKEN": ADMIN_TOKEN,
            "TOLLKEEPER_KEY_SECRET": KEY_SECRET,
        }
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings), log_config=None, lifespan="on", ws="none", timeout_graceful_shutdown=5
        )
    )
    running = asyncio.create_task(server.serve(sockets=[listener]))
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    bearer = {"authorization": f"Bearer {ADMIN_TOKEN}"}
    async with (
        httpx.AsyncClient(base_url=base_url, headers=bearer, timeout=30) as admin,
        httpx.AsyncClient(base_url=base_url, timeout=30) as nobody,
    ):
        yield Console(admin, nobody)
    server.should_exit = True
    await running
    listener.close()


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
async def organization(console: Console) -> dict[str, Any]:
    return await console.make("organizations", name="Atelier")


Record = Callable[..., Awaitable[None]]


@pytest.fixture
def record(pool: Pool) -> Record:
    """Writes a usage record straight into the ledger."""
    from ledger.database import reading
    from ledger.usage_partitions import ensure_month

    async def write(request_id: str, organization_id: str, **fields: Any) -> None:
        row = {
            "request_id": request_id,
            "occurred_at": datetime(2026, 11, 21, 12, tzinfo=UTC),
            "organization_id": organization_id,
            "endpoint": "chat/completions",
            "model": "gpt-4o",
            "upstream": "openai",
            "stream": False,
            "status": 200,
            "outcome": "completed",
            "input_tokens": 10,
            "cached_input_tokens": 4,
            "cache_write_tokens": 0,
            "output_tokens": 5,
            "reasoning_tokens": 2,
            "audio_input_tokens": 0,
            "audio_output_tokens": 0,
            "cost_nano_usd": 75_000,
            "cost_nano_eur": 65_000,
            "price_nano": 78_000,
            "price_nano_eur": 78_000,
            "currency": "EUR",
            "usd_per_eur": 1.15,
            "usage_source": "provider",
            "request_bytes": 100,
            "response_bytes": 200,
            "duration_ms": 30,
            **fields,
        }
        columns = ", ".join(row)
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        async with reading(pool) as connection:
            await ensure_month(connection, row["occurred_at"])
            await connection.execute(f"insert into usage ({columns}) values ({places})", *row.values())

    return write


@pytest.fixture
async def database_url(empty_database_url: str) -> str:
    from ledger.migrations import migrate

    await migrate(empty_database_url)
    return empty_database_url
