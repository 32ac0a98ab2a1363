"""An upstream that gives out keys, takes calls and holds sessions, as a test wants it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import uvicorn

from tests.system import System

Say = Callable[..., Awaitable[None]]


@dataclass
class Heard:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Provider:
    """`answers` are given by path; `calls` are the sidebands that were joined, by call id."""

    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    requests: list[Heard] = field(default_factory=list)
    sessions: list[Heard] = field(default_factory=list)
    hung_up: dict[str, asyncio.Event] = field(default_factory=dict)
    joined: asyncio.Event = field(default_factory=asyncio.Event)
    joins: bool = True
    script: list[dict[str, Any]] = field(default_factory=list)
    """Events that a session is told at its beginning."""
    wakes: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by a test when its sessions shall be told the next part of `later`."""
    later: list[dict[str, Any]] = field(default_factory=list)

    def ended(self, call: str) -> asyncio.Event:
        return self.hung_up.setdefault(call, asyncio.Event())

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        if scope["type"] == "http":
            await self._answer(scope["path"], headers, receive, send)
        else:
            await self._talk(scope, headers, receive, send)

    async def _answer(self, path: str, headers: dict[str, str], receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.requests.append(Heard(path, headers, body))
        status, more, content = self.answers.get(path, (404, {}, b"{}"))
        if path.endswith("/hangup"):
            self.ended(path.split("/")[-2]).set()
            status, more, content = 200, {}, b""
        pairs = [(name.encode(), value.encode()) for name, value in more.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": content})

    async def _talk(self, scope: Any, headers: dict[str, str], receive: Any, send: Any) -> None:
        query = scope["query_string"].decode()
        self.sessions.append(Heard(f"{scope['path']}?{query}", headers, b""))
        await receive()
        if not self.joins:
            await send({"type": "websocket.close"})
            return
        await send({"type": "websocket.accept"})
        self.joined.set()
        told = asyncio.ensure_future(self._tell(send))
        leaving = asyncio.ensure_future(_left(receive))
        call = parse_qs(query).get("call_id", [""])[0]
        over = asyncio.ensure_future(self.ended(call).wait())
        await asyncio.wait((leaving, over), return_when=asyncio.FIRST_COMPLETED)
        for task in (told, leaving, over):
            task.cancel()
        if not leaving.done():
            await send({"type": "websocket.close", "code": 1000})

    async def _tell(self, send: Any) -> None:
        for event in self.script:
            await send({"type": "websocket.send", "text": json.dumps(event)})
        for event in self.later:
            await self.wakes.wait()
            await send({"type": "websocket.send", "text": json.dumps(event)})


async def _left(receive: Any) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass


@asynccontextmanager
async def provided(house: System, provider: Provider) -> AsyncIterator[Provider]:
    port = int(house.upstream_url.rpartition(":")[2])
    options: Any = {"log_config": None, "lifespan": "off", "ws": "websockets-sansio"}
    server = uvicorn.Server(
        uvicorn.Config(provider, host="127.0.0.1", port=port, timeout_graceful_shutdown=1, **options)
    )
    serving = asyncio.ensure_future(server._serve())  # serve() would take the test runner's signals
    try:
        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.01)
        yield provider
    finally:
        server.should_exit = True
        await asyncio.wait_for(serving, 10)
