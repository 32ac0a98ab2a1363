"""A WebSocket upstream that does what a test says, and clients of the proxy."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from tests.system import System, Tenant

Play = Callable[[ServerConnection], Awaitable[None]]
SECONDS = 20


class Stage:
    """What reached the upstream: the request of each handshake, and the code that each connection ended with."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.closed: list[int | None] = []
        self.done = asyncio.Event()


@asynccontextmanager
async def upstream(
    house: System,
    play: Play,
    *,
    answer: Callable[[ServerConnection, Request], Response | None] | None = None,
    **options: Any,
) -> AsyncIterator[Stage]:
    """Stands where the simulator would, and plays for every connection."""
    stage = Stage()

    async def played(connection: ServerConnection) -> None:
        assert connection.request is not None
        stage.requests.append(connection.request)
        try:
            await asyncio.wait_for(play(connection), SECONDS)
            await connection.wait_closed()
        finally:
            stage.closed.append(connection.close_code)
            stage.done.set()

    port = int(house.upstream_url.rpartition(":")[2])
    async with serve(
        played, "127.0.0.1", port, process_request=answer, compression=None, max_size=None, **options
    ):
        yield stage


@asynccontextmanager
async def client(
    house: System, tenant: Tenant | None, query: str = "model=gpt-realtime", **options: Any
) -> AsyncIterator[ClientConnection]:
    headers = {} if tenant is None else {"authorization": f"Bearer {tenant.key}"}
    headers |= options.pop("headers", {})
    url = f"{house.proxy_url.replace('http', 'ws')}/v1/realtime?{query}"
    options = {"compression": None, "max_size": None, "proxy": None, **options}
    async with connect(url, additional_headers=headers, **options) as connection:
        yield connection


async def heard(connection: ClientConnection | ServerConnection) -> dict[str, Any]:
    """The next event."""
    event: dict[str, Any] = json.loads(await asyncio.wait_for(connection.recv(), SECONDS))
    return event


async def told(connection: ClientConnection | ServerConnection, kind: str, **members: Any) -> None:
    await connection.send(json.dumps({"type": kind, "event_id": "event_0", **members}))


def usage(tokens: int, *, spoken: int = 0) -> dict[str, Any]:
    """What a response reports that had one token in and so many out."""
    return {
        "total_tokens": 1 + tokens,
        "input_tokens": 1,
        "output_tokens": tokens,
        "input_token_details": {"text_tokens": 1, "audio_tokens": 0, "cached_tokens": 0},
        "output_token_details": {"text_tokens": tokens - spoken, "audio_tokens": spoken},
    }


async def respond(connection: ServerConnection, name: str, tokens: int = 5) -> None:
    """A whole response."""
    await told(connection, "response.created", response={"id": name, "usage": None})
    await told(connection, "response.output_text.delta", response_id=name, delta="word")
    await told(connection, "response.done", response={"id": name, "usage": usage(tokens)})


async def answer_each(connection: ServerConnection) -> None:
    """Greets, and answers each wish for a response with one."""
    await told(connection, "session.created", session={"id": "sess_1", "model": "gpt-realtime"})
    count = 0
    async for message in connection:
        if json.loads(message)["type"] == "response.create":
            count += 1
            await respond(connection, f"resp_{count}")
