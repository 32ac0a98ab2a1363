"""A route to servers that behave as told, and who counts what it does."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from config.settings import Outbound
from config.upstreams.schema import Upstreams
from proxy.endpoints.asked import Asked, read
from proxy.endpoints.catalogue import find
from proxy.upstream.forwarding import Forwarding
from proxy.upstream.request import Body, Header
from proxy.upstream.route import Route
from tests.proxy.upstream.raw_server import RawServer
from tests.proxy.upstream.recorder import Recorder

KEYS = {"KEY": "sk-upstream"}


class Counts:
    """Implements RouteWatch."""

    def __init__(self) -> None:
        self.attempts: list[tuple[str, str]] = []
        self.retries: list[tuple[str, str]] = []
        self.fallbacks: list[tuple[str, str, str]] = []
        self.breakers: dict[str, Callable[[], float]] = {}

    def attempted(self, upstream: str, result: str) -> None:
        self.attempts.append((upstream, result))

    def retried(self, upstream: str, reason: str) -> None:
        self.retries.append((upstream, reason))

    def fell_back(self, upstream: str, to: str, reason: str) -> None:
        self.fallbacks.append((upstream, to, reason))

    def watch_breaker(self, upstream: str, state: Callable[[], float]) -> None:
        self.breakers[upstream] = state


class Sent(Recorder):
    """A request on its way."""

    forwarding: Forwarding

    async def settled(self) -> tuple[int, str]:
        """Waits for the end; the status and who answered."""
        await self.ended()
        return self.status, self.forwarding.upstream


class Scene:
    def __init__(self, servers: dict[str, RawServer], route: Route, counts: Counts) -> None:
        self.servers = servers
        self.route = route
        self.counts = counts

    def send(
        self,
        request: dict[str, Any] | None = None,
        *,
        path: str = "/v1/chat/completions",
        method: str = "POST",
    ) -> Sent:
        body = (
            orjson.dumps({"model": "gpt-4o", "messages": []} | (request or {})) if method == "POST" else None
        )
        match = find(method, path)
        asked = read(match.endpoint, body or b"", [])
        return self.start(asked, path, body, keeper="" if match.ids else None)

    def start(
        self,
        asked: Asked,
        path: str,
        body: Body,
        *,
        keeper: str | None = None,
        headers: Sequence[Header] = ((b"content-type", b"application/json"),),
    ) -> Sent:
        scope = {
            "method": asked.endpoint.method,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [*headers, (b"authorization", b"Bearer sk-tk-client")],
        }
        sent = Sent()
        ways = self.route.ways(asked, keeper)
        sent.forwarding = self.route.forward(scope, asked, body, ways, sent)
        return sent

    async def close(self) -> None:
        await self.route.close()
        for server in self.servers.values():
            await server.stop()


def settings(entries: list[dict[str, Any]], **limits: Any) -> Upstreams:
    return Upstreams.model_validate({"upstreams": entries, **limits}, context=KEYS)


def made(
    entries: list[dict[str, Any]],
    servers: dict[str, RawServer],
    *,
    outbound: Outbound | None = None,
    tls: Any = None,
    chance: Callable[[], float] = lambda: 0.5,
    **limits: Any,
) -> Scene:
    counts = Counts()
    route = Route(settings(entries, **limits), outbound or Outbound(), counts, chance=chance, tls=tls)
    return Scene(servers, route, counts)
