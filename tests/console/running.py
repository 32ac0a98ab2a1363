"""The console as it runs for tests: its own process's socket, clients on TCP."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import uvicorn

from config.settings import load_settings
from console.app import create_app, utc_now

ADMIN_TOKEN = "an admin token of the tests"
KEY_SECRET = "a key secret of the tests"
UNKNOWN = "org_000000000000000000000000"

Record = Callable[..., Awaitable[None]]
Fields = dict[str, Any]


@dataclass(frozen=True)
class Console:
    """Clients of one running console: as administrator, and as nobody."""

    port: int
    admin: httpx.AsyncClient
    nobody: httpx.AsyncClient

    async def make(self, path: str, **fields: Any) -> Fields:
        """Creates an object, and gives it."""
        answer = await self.admin.post(f"/api/admin/{path}", json=fields)
        assert answer.status_code == 201, answer.text
        made: Fields = answer.json()
        return made

    async def subscribe(self, organization: Fields, plan: Fields, **fields: Any) -> httpx.Response:
        path = f"/api/admin/organizations/{organization['id']}/subscription"
        return await self.admin.put(path, json={"plan_id": plan["id"], **fields})

    async def key(self, organization: Fields, **fields: Any) -> Fields:
        return await self.make(f"organizations/{organization['id']}/keys", **{"name": "app", **fields})

    async def mine(self, key: Fields, path: str) -> httpx.Response:
        return await self.nobody.get(f"/api/me/{path}", headers={"authorization": f"Bearer {key['key']}"})

    async def all_pages(self, path: str, limit: int) -> list[Fields]:
        """Every row of a list, read page by page."""
        rows: list[Fields] = []
        cursor = ""
        for _ in range(100):
            joint = "&" if "?" in path else "?"
            answer = await self.admin.get(f"{path}{joint}limit={limit}&cursor={cursor}")
            page = answer.json()
            assert len(page["data"]) <= limit
            rows += page["data"]
            if page["next_cursor"] is None:
                return rows
            cursor = page["next_cursor"]
        raise AssertionError("the list does not end")


@asynccontextmanager
async def serving(
    database_url: str, redis_url: str, clock: Callable[[], datetime] = utc_now, /, **more: str
) -> AsyncIterator[Console]:
    settings = load_settings(
        {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "TOLLKEEPER_ADMIN_TOKEN": ADMIN_TOKEN,
            "TOLLKEEPER_KEY_SECRET": KEY_SECRET,
            **more,
        }
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(settings, clock=clock),
                log_config=None,
                lifespan="on",
                ws="none",
                timeout_graceful_shutdown=5,
            )
        )
        running = asyncio.create_task(server.serve(sockets=[listener]))
        base_url = f"http://127.0.0.1:{port}"
        bearer = {"authorization": f"Bearer {ADMIN_TOKEN}"}
        async with (
            httpx.AsyncClient(base_url=base_url, headers=bearer, timeout=60) as admin,
            httpx.AsyncClient(base_url=base_url, timeout=60) as nobody,
        ):
            yield Console(port, admin, nobody)
        server.should_exit = True
        await running


def refused(answer: httpx.Response, status: int, param: str | None = None, *, says: str = "") -> None:
    """Asserts a refusal in OpenAI's shape that names `param`."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["param"] == param
    assert says in error["message"]
    if param is not None:
        assert param.rpartition(".")[2] in error["message"]
