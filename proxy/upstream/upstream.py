"""One upstream: its address and credentials, its connections, and how it fares."""

import ssl
from typing import Final, NamedTuple

import structlog

from config.settings import Outbound
from config.upstreams.schema import Breaker as BreakerLimits
from config.upstreams.schema import Entry
from config.way_out import proxy_for
from proxy.upstream.address import socket_target, target
from proxy.upstream.alias import renamed, renamed_in_form
from proxy.upstream.breaker import Breaker, Pass, State
from proxy.upstream.connect import connect, through
from proxy.upstream.exchange import Exchange, Sink
from proxy.upstream.headers import request_headers
from proxy.upstream.origin import Origin
from proxy.upstream.pool import Pool
from proxy.upstream.request import Body, Header
from proxy.upstream.websocket import Dial, Socket, open_socket

_LONGEST_REST: Final = 60.0
_MOST_RESTING: Final = 1000

_log = structlog.get_logger(__name__)


class ClientRequest(NamedTuple):
    """What the client asks: the path from `/v1` on, headers and model as it sent them, and the body that we send.
    `secret` is one that the upstream gave out, None to use our key."""

    method: str
    path: bytes
    query: bytes
    headers: list[Header]
    body: Body
    model: str
    secret: str | None = None


class SocketRequest(NamedTuple):
    """As ClientRequest, of a WebSocket. `secret` is one that the upstream gave out, None to use our key."""

    path: bytes
    query: bytes
    headers: list[Header]
    subprotocols: list[str]
    model: str
    secret: str | None = None


class Upstream:
    """Opens connections as they are needed. How it fares is known from its answers alone: nothing is asked that could
    cost money. Times are those of the event loop."""

    def __init__(
        self,
        entry: Entry,
        limits: BreakerLimits,
        outbound: Outbound,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tls` as with Pool."""
        origin = Origin.parse(entry.base_url)
        proxy = proxy_for(origin, outbound)
        self._entry = entry
        self._breaker = Breaker(limits.failures, limits.cool_down)
        self._resting: dict[str, float] = {}
        self._dial = Dial(
            origin,
            tls if tls is not None and origin.tls else origin.tls_context(),
            connect if proxy is None else through(proxy, always_tunnel=True),
            entry.timeouts,
        )
        self._base = origin.target(b"")
        self._credentials = credentials(entry)
        self.closing = False
        if proxy is not None and not origin.tls:
            self._base = b"http://" + origin.authority + self._base
            if proxy.authorization is not None:
                self._credentials.append((b"proxy-authorization", proxy.authorization))
        self._pool = Pool(
            origin,
            max_connections=entry.max_connections,
            connect_timeout=entry.timeouts.connect,
            first_byte_timeout=entry.timeouts.first_byte,
            between_bytes_timeout=entry.timeouts.between_bytes,
            connector=connect if proxy is None else through(proxy),
            tls=self._dial.tls,
        )

    @property
    def name(self) -> str:
        """How usage records call it."""
        return self._entry.name

    def send(self, request: ClientRequest, model: str | None, sink: Sink) -> Exchange:
        """`model` is the upstream's own name for the model, None where that is the client's. As Pool.exchange."""
        body = request.body
        if model is not None and isinstance(body, bytes):
            kind = next((value for name, value in request.headers if name == b"content-type"), b"")
            body = renamed_in_form(body, kind, model) if body.startswith(b"--") else renamed(body, model)
        place = target(self._entry, request.path, request.query, model or request.model)
        return self._pool.exchange(
            request.method.encode("ascii"),
            self._base + place,
            request_headers(request.headers, self._known_by(request.secret)),
            body,
            sink,
        )

    def _known_by(self, secret: str | None) -> list[Header]:
        if secret is None:
            return self._credentials
        others = [each for each in self._credentials if each[0] == b"proxy-authorization"]
        return [*credentials(self._entry, secret), *others]

    async def open_socket(self, request: SocketRequest, model: str | None) -> Socket:
        """`model` as in `send`. Raises Refused or Unreachable."""
        place = socket_target(self._entry, request.path, request.query, model)
        return await open_socket(
            self._dial,
            self._dial.origin.target(place).decode("ascii"),
            request_headers(request.headers, credentials(self._entry, request.secret)),
            request.subprotocols,
        )

    # How it fares

    def state(self, now: float) -> State:
        return self._breaker.state(now)

    def is_ready(self, model: str, now: float) -> bool:
        return self._breaker.admits(now) and self._resting.get(model, now) <= now

    def begin(self, now: float) -> Pass | None:
        """None while it is to be left alone."""
        return self._breaker.begin(now)

    def begin_anyway(self) -> Pass:
        return self._breaker.begin_anyway()

    def succeeded(self, given: Pass) -> None:
        self._breaker.succeeded(given)

    def failed(self, given: Pass, now: float, reason: str) -> None:
        before = self.state(now)
        self._breaker.failed(given, now)
        if self.state(now) is State.OPEN and before is not State.OPEN:
            _log.warning("an upstream fails and is left alone", upstream=self.name, reason=reason)

    def abandoned(self, given: Pass) -> None:
        self._breaker.abandoned(given)

    def rest(self, model: str, now: float, seconds: float) -> None:
        """It asked to be left alone with this model."""
        if len(self._resting) >= _MOST_RESTING:
            self._resting = {each: until for each, until in self._resting.items() if until > now}
        if len(self._resting) < _MOST_RESTING:
            self._resting[model] = now + min(seconds, _LONGEST_REST)

    async def close(self) -> None:
        self.closing = True
        await self._pool.close()


def credentials(entry: Entry, secret: str | None = None) -> list[Header]:
    """The headers that an upstream knows us by, and those that its entry adds. `secret` is one that it gave out itself,
    in place of our key."""
    headers = [(name.lower().encode(), value.encode()) for name, value in entry.headers.items()]
    if secret is not None:
        headers.append((b"authorization", b"Bearer " + secret.encode()))
    elif entry.api_key is not None:
        key = entry.api_key.get_secret_value().encode()
        headers.append((b"api-key", key) if entry.kind == "azure" else (b"authorization", b"Bearer " + key))
    return headers
