"""A WebSocket to an upstream, on the library `websockets`: its framing, closing handshake and keep-alive pings."""

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from config.upstreams.schema import Timeouts
from proxy.upstream.connect import Connector
from proxy.upstream.failure import FailureKind, UpstreamFailure
from proxy.upstream.origin import Origin
from proxy.upstream.request import Header

LARGEST_MESSAGE: Final = 16 * 1024 * 1024
"""Bytes of one message; OpenAI takes up to 15 MiB of sound in one."""
_QUEUED: Final = 4
"""Messages that wait for the client before the upstream is read no further."""
_PING_SECONDS: Final = 20.0
_CLOSE_SECONDS: Final = 1.0
_OWN_HEADERS: Final = (b"sec-websocket-", b"accept-encoding")


class Closed(Exception):
    """The other side has closed, with this code and reason; 1005 where it gave none, 1006 where it just vanished."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"closed with {code}")
        self.code = code
        self.reason = reason

    @property
    def passes_on(self) -> int:
        """The code to close the next side with. Some stand for what was not said, and can't be sent."""
        if self.code == 1005:
            return 1000
        if self.code in (1004, 1006, 1015) or not 1000 <= self.code < 5000:
            return 1011
        return self.code


class Refused(Exception):
    """The upstream answered the handshake with something else than a WebSocket."""

    def __init__(self, status: int, headers: list[Header], body: bytes) -> None:
        super().__init__(f"the upstream answered {status}")
        self.status = status
        self.headers = headers
        self.body = body


class Unreachable(Exception):
    """There is no connection, or no answer to the handshake."""

    def __init__(self, failure: UpstreamFailure) -> None:
        super().__init__(failure.kind)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Dial:
    """How an upstream is reached."""

    origin: Origin
    tls: ssl.SSLContext | None
    connector: Connector
    timeouts: Timeouts


class Socket:
    """An open WebSocket. Extensions are not negotiated: frames need no memory beside their own."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    @property
    def subprotocol(self) -> str | None:
        return self._connection.subprotocol

    @property
    def headers(self) -> list[Header]:
        """Of the answer to the handshake."""
        assert self._connection.response is not None
        return _raw(self._connection.response.headers.raw_items())

    async def receive(self) -> str | bytes:
        """The next message. Raises Closed. While nothing is received, the upstream is read no further."""
        try:
            return await self._connection.recv()
        except ConnectionClosed as closed:
            raise _closed(closed) from None

    async def send(self, message: str | bytes) -> None:
        """Returns once the upstream keeps up. Raises Closed."""
        try:
            await self._connection.send(message)
        except ConnectionClosed as closed:
            raise _closed(closed) from None

    async def close(self, code: int, reason: str) -> None:
        """Ends it within a second, whatever the upstream does."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._connection.close(code, reason)
        except (TimeoutError, WebSocketException, OSError):
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Ends it now. Waits for nothing."""
        self._connection.transport.abort()


async def open_socket(
    dial: Dial, target: str, headers: Sequence[Header], subprotocols: Sequence[str]
) -> Socket:
    """`target` is the path with its query. Raises Refused or Unreachable."""
    path, _, query = target.partition("?")
    origin = dial.origin
    protocol = ClientProtocol(
        WebSocketURI(origin.tls, origin.host, origin.port, path, query),
        subprotocols=[Subprotocol(each) for each in subprotocols] or None,
        max_size=LARGEST_MESSAGE,
    )
    made: list[ClientConnection] = []

    def factory() -> ClientConnection:
        made.append(
            ClientConnection(
                protocol,
                ping_interval=_PING_SECONDS,
                ping_timeout=_PING_SECONDS,
                close_timeout=_CLOSE_SECONDS,
                max_queue=_QUEUED,
            )
        )
        return made[-1]

    sent = False
    try:
        async with asyncio.timeout(dial.timeouts.connect):
            await dial.connector(origin, dial.tls, factory)
        sent = True
        async with asyncio.timeout(dial.timeouts.first_byte):
            await made[0].handshake(_texts(headers), user_agent_header=None)
    except BaseException as error:
        # A connection that is not ours to use any more must not linger, whoever gave up.
        for connection in made:
            if hasattr(connection, "transport"):
                connection.transport.abort()
        if isinstance(error, InvalidStatus):
            answer = error.response
            raise Refused(answer.status_code, _raw(answer.headers.raw_items()), bytes(answer.body)) from None
        if isinstance(error, OSError | TimeoutError | WebSocketException):
            raise Unreachable(
                UpstreamFailure(_kind(error, sent), type(error).__name__, sent, False)
            ) from None
        raise
    made[0].start_keepalive()
    return Socket(made[0])


def _kind(error: Exception, sent: bool) -> FailureKind:
    if isinstance(error, ssl.SSLError):
        return "tls"
    if not sent:
        return "connect"
    if isinstance(error, TimeoutError):
        return "timeout_first_byte"
    return "protocol" if isinstance(error, InvalidHandshake) else "reset"


def _closed(closed: ConnectionClosed) -> Closed:
    frame = closed.rcvd
    if frame is None:
        return Closed(1006)
    return Closed(frame.code, frame.reason)


def _texts(headers: Sequence[Header]) -> list[tuple[str, str]]:
    """Without those of the WebSocket itself, which are this side's own."""
    return [
        (name.decode("ascii"), value.decode("latin-1"))
        for name, value in headers
        if not name.lower().startswith(_OWN_HEADERS)
    ]


def _raw(headers: Iterable[tuple[str, str]]) -> list[Header]:
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
