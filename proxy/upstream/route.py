"""Who answers: all upstreams of this process, and the way of each request to one of them."""

import asyncio
import random
import ssl
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Any, Final, Protocol

from config.settings import Outbound
from config.upstreams.schema import Upstreams
from proxy.endpoints.asked import Asked
from proxy.errors import Refusal
from proxy.ownership.finds import keeps_objects
from proxy.upstream.exchange import Sink
from proxy.upstream.failure import FailureKind, UpstreamFailure
from proxy.upstream.forwarding import Forwarding, Watch
from proxy.upstream.request import Body, Streamed
from proxy.upstream.retry import Repeatable, is_error, repeatable
from proxy.upstream.router import Bound, Router, Way
from proxy.upstream.upstream import ClientRequest, SocketRequest, Upstream
from proxy.upstream.websocket import Refused, Socket, Unreachable

_PREFIX: Final = b"/v1"

Ways = tuple[Way[Upstream], ...]


class RouteWatch(Watch, Protocol):
    def watch_breaker(self, upstream: str, state: Callable[[], float]) -> None:
        """`state` gives 0 closed, 1 probing, 2 open."""


class Route:
    """Opens connections as they are needed."""

    def __init__(
        self,
        settings: Upstreams,
        outbound: Outbound,
        watch: RouteWatch,
        *,
        chance: Callable[[], float] = random.random,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tls` as with Pool."""
        self._limits = settings.retries
        self._watch = watch
        self._upstreams = [
            Upstream(entry, settings.breaker, outbound, tls=tls) for entry in settings.upstreams
        ]
        self._router = Router(list(zip(settings.upstreams, self._upstreams, strict=True)), chance)
        for upstream in self._upstreams:
            watch.watch_breaker(upstream.name, partial(_state, upstream))

    def ways(self, asked: Asked, keeper: str | None) -> Ways:
        """Where this may go, best first. `keeper`: the upstream that keeps what it refers to; None where it refers to
        nothing, empty where nobody knows. Raises Refusal 404 for a model that no upstream serves."""
        bound = Bound.NOT
        if keeper is not None or not asked.model:
            bound = Bound.ONLY
        elif keeps_objects(asked):
            bound = Bound.FIRST
        now = asyncio.get_running_loop().time()
        ways = self._router.ways(
            asked.model, bound, lambda way: way.upstream.is_ready(asked.model, now), keeper or ""
        )
        if not ways:
            raise Refusal(
                404,
                f"The model `{asked.model}` does not exist or you do not have access to it.",
                code="model_not_found",
                param="model",
            )
        return ways

    def forward(
        self,
        scope: MutableMapping[str, Any],
        asked: Asked,
        body: Body,
        ways: Ways,
        sink: Sink,
        secret: str | None = None,
    ) -> Forwarding:
        """Sends a client's request on; what comes of it goes to `sink`. Never blocks. As Forwarding. `secret` is one
        that the upstream gave out, None to use our key."""
        request = ClientRequest(
            scope["method"],
            scope["raw_path"].partition(b"?")[0].removeprefix(_PREFIX),
            scope["query_string"],
            scope["headers"],
            body,
            asked.model,
            secret,
        )
        kind = repeatable(asked.endpoint.method, asked.endpoint.template, asked.request)
        if isinstance(body, Streamed):
            kind = kind._replace(once=True)
        return Forwarding(request, ways, sink, kind, self._limits, self._watch)

    def get(self, path: str, keeper: str, sink: Sink) -> Forwarding:
        """Asks for something ourselves, by its path from `/v1` on, where it lies. As `forward`."""
        ways = self._router.ways("", Bound.ONLY, lambda _: True, keeper)
        request = ClientRequest("GET", path.encode("ascii").removeprefix(_PREFIX), b"", [], None, "")
        return Forwarding(request, ways, sink, Repeatable(True, True), self._limits, self._watch)

    def post(self, path: str, keeper: str, sink: Sink) -> Forwarding:
        """As `get`, for what may be done twice. Without a body."""
        ways = self._router.ways("", Bound.ONLY, lambda _: True, keeper)
        request = ClientRequest("POST", path.encode("ascii").removeprefix(_PREFIX), b"", [], b"", "")
        return Forwarding(request, ways, sink, Repeatable(True, True), self._limits, self._watch)

    async def open_socket(self, request: SocketRequest, ways: Ways) -> tuple[Socket, str]:
        """A WebSocket to the first of these that gives one, and its name. Raises Refused or Unreachable, as the last
        one tried did."""
        loop = asyncio.get_running_loop()
        ready = [way for way in ways if way.upstream.is_ready(request.model, loop.time())]
        ways = tuple(ready) or ways[:1]
        for way in ways[:-1]:
            try:
                return await self._open_socket(request, way), way.upstream.name
            except Unreachable:
                pass
            except Refused as refused:
                if not is_error(refused.status):
                    raise
        return await self._open_socket(request, ways[-1]), ways[-1].upstream.name

    async def _open_socket(self, request: SocketRequest, way: Way[Upstream]) -> Socket:
        upstream, now = way.upstream, asyncio.get_running_loop().time()
        given = upstream.begin(now) or upstream.begin_anyway()
        try:
            socket = await upstream.open_socket(request, way.model)
        except Unreachable as unreachable:
            self._watch.attempted(upstream.name, unreachable.failure.kind)
            upstream.failed(given, asyncio.get_running_loop().time(), unreachable.failure.kind)
            raise
        except Refused as refused:
            self._watch.attempted(upstream.name, str(refused.status))
            if refused.status < 500:
                upstream.succeeded(given)
            else:
                upstream.failed(given, asyncio.get_running_loop().time(), str(refused.status))
            raise
        except BaseException:
            upstream.abandoned(given)
            raise
        self._watch.attempted(upstream.name, "101")
        upstream.succeeded(given)
        return socket

    async def close(self) -> None:
        await asyncio.gather(*(upstream.close() for upstream in self._upstreams))


def _state(upstream: Upstream) -> float:
    return upstream.state(asyncio.get_running_loop().time()).value


_TIMEOUTS: frozenset[FailureKind] = frozenset({"timeout_first_byte", "timeout_between_bytes"})


def refusal_for(failure: UpstreamFailure) -> Refusal:
    """What the client is told when the upstream gave no answer at all."""
    if failure.kind in _TIMEOUTS:
        return Refusal(
            504, "The upstream did not answer in time.", type="server_error", code="upstream_timeout"
        )
    if failure.kind == "pool_exhausted":
        return Refusal(
            503,
            "All connections to the upstream are busy. Try again.",
            type="server_error",
            code="upstream_busy",
            headers=((b"retry-after", b"1"),),
        )
    return Refusal(
        502, "The upstream could not be reached.", type="server_error", code="upstream_unavailable"
    )
