import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from proxy.upstream.pool import Pool
from proxy.upstream.request import Body, Header
from tests.proxy.upstream.raw_server import Behaviour, RawServer
from tests.proxy.upstream.recorder import Recorder

HEADERS: list[Header] = [(b"content-type", b"application/json")]


class Scene:
    """A pool and the server it talks to."""

    def __init__(self, server: RawServer, pool: Pool) -> None:
        self.server = server
        self.pool = pool

    def post(self, body: Body = b"{}", *, method: bytes = b"POST", sink: Recorder | None = None) -> Recorder:
        sink = sink or Recorder()
        sink.exchange = self.pool.exchange(method, b"/v1/x", HEADERS, body, sink)
        return sink

    async def get(self) -> Recorder:
        return await self.post(None, method=b"GET").ended()

    async def peer_left(self) -> int:
        return await asyncio.wait_for(self.server.left.get(), 10)


Play = Callable[..., Awaitable[Scene]]


@pytest.fixture
async def play() -> AsyncIterator[Play]:
    """Starts a server that behaves as told, and a pool for it."""
    scenes: list[Scene] = []

    async def play(behaviour: Behaviour, **options: Any) -> Scene:
        server = RawServer(behaviour)
        origin = await server.start()
        scenes.append(Scene(server, Pool(origin, **options)))
        return scenes[-1]

    yield play
    for scene in scenes:
        await scene.pool.close()
        await scene.server.stop()
