"""A WebSocket to an upstream: reached as any other connection is, refused in the upstream's words, closed at once."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.utils import accept_key

from config.upstreams.schema import Timeouts
from config.way_out import WebProxy
from proxy.upstream.connect import Connector, connect, through
from proxy.upstream.origin import Origin
from proxy.upstream.websocket import LARGEST_MESSAGE, Closed, Dial, Refused, Socket, Unreachable, open_socket
from tests.proxy.upstream.certificate import server_context, trusting_context
from tests.proxy.upstream.raw_server import Peer, RawServer
from tests.proxy.upstream.test_connect import WebProxyServer

Play = Callable[[ServerConnection], Awaitable[None]]
Listen = Callable[..., Awaitable[Origin]]


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    """Starts a server for WebSockets, or a raw one; the origin of it."""
    async with AsyncExitStack() as stack:

        async def listen(play: Play, *, tls: bool = False, **options: Any) -> Origin:
            context = server_context() if tls else None
            server = await stack.enter_async_context(
                serve(play, "127.0.0.1", 0, ssl=context, max_size=None, **options)
            )
            return Origin("127.0.0.1", next(iter(server.sockets)).getsockname()[1], tls, "/v1")

        yield listen


@pytest.fixture
async def raw() -> AsyncIterator[Listen]:
    servers: list[RawServer] = []

    async def raw(behaviour: Callable[[Peer], Awaitable[None]]) -> Origin:
        servers.append(RawServer(behaviour))
        return await servers[-1].start(None)

    yield raw
    for server in servers:
        await server.stop()


def dial(
    origin: Origin,
    *,
    proxy: Origin | None = None,
    tls: ssl.SSLContext | None = None,
    seconds: float = 5,
    first_byte: float = 5,
) -> Dial:
    connector: Connector = connect
    if proxy is not None:
        connector = through(WebProxy(proxy.host, proxy.port), always_tunnel=True)
    context = (tls or origin.tls_context()) if origin.tls else None
    return Dial(origin, context, connector, Timeouts(connect=seconds, first_byte=first_byte))


async def opened(to: Dial) -> Socket:
    return await open_socket(to, "/v1/realtime?model=x", [(b"authorization", b"Bearer k")], ["realtime"])


async def failing(to: Dial) -> tuple[str, bool]:
    with pytest.raises(Unreachable) as unreachable:
        await opened(to)
    return unreachable.value.failure.kind, unreachable.value.failure.sent


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def test_messages_pass_as_they_are(listen: Listen) -> None:
    seen = []

    async def play(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append((connection.request.path, connection.request.headers))
        await echo(connection)

    socket = await opened(dial(await listen(play, subprotocols=["realtime"])))
    for message in ("é", b"\x00\xff", "", "x" * 2_000_000):
        await socket.send(message)
        assert await asyncio.wait_for(socket.receive(), 10) == message
    await socket.close(1000, "")
    [(path, headers)] = seen
    assert path == "/v1/realtime?model=x"
    assert headers["authorization"] == "Bearer k"
    assert "sec-websocket-extensions" not in headers
    assert socket.subprotocol == "realtime"


@pytest.mark.parametrize("tls", [False, True])
async def test_a_web_proxy_makes_a_tunnel_to_any_origin(listen: Listen, raw: Listen, tls: bool) -> None:
    server = WebProxyServer()
    proxy, origin = await raw(server), await listen(echo, tls=tls)
    socket = await opened(dial(origin, proxy=proxy, tls=trusting_context()))
    await socket.send("a")
    assert await socket.receive() == "a"
    await socket.close(1000, "")
    assert server.heads[0].startswith(b"CONNECT %b HTTP/1.1" % origin.authority)


async def test_a_certificate_that_proves_nothing_is_refused(listen: Listen) -> None:
    assert await failing(dial(await listen(echo, tls=True))) == ("tls", False)


async def test_nobody_there_is_a_failed_connect() -> None:
    assert await failing(dial(Origin("127.0.0.1", 9, False, ""))) == ("connect", False)


async def test_a_handshake_that_is_not_answered_is_given_up(raw: Listen) -> None:
    async def silent(peer: Peer) -> None:
        await peer.head()
        await peer.reader.read()

    to = dial(await raw(silent), first_byte=0.2)
    assert await failing(to) == ("timeout_first_byte", True)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(b"", "protocol"), (b"no HTTP\r\n\r\n", "protocol"), (b"HTTP/1.1 101 x\r\n\r\n", "protocol")],
)
async def test_what_is_no_handshake_is_no_socket(raw: Listen, answer: bytes, kind: str) -> None:
    async def say(peer: Peer) -> None:
        await peer.head()
        if answer:
            await peer.say(answer)

    assert await failing(dial(await raw(say))) == (kind, True)


async def test_a_refusal_comes_with_its_headers_and_body(raw: Listen) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.head()
        await peer.say(b"HTTP/1.1 429 Too Many\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n{}")

    with pytest.raises(Refused) as refused:
        await opened(dial(await raw(refuse)))
    assert (refused.value.status, refused.value.body) == (429, b"{}")
    assert (b"retry-after", b"7") in refused.value.headers


async def test_whoever_gives_up_leaves_no_connection_behind(raw: Listen) -> None:
    left = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.head()
        await peer.reader.read()
        left.set()

    opening = asyncio.ensure_future(opened(dial(await raw(silent))))
    await asyncio.sleep(0.1)
    opening.cancel()
    await asyncio.wait_for(left.wait(), 10)


@pytest.mark.parametrize(
    ("code", "passes_on"), [(1000, 1000), (1001, 1001), (1008, 1008), (3000, 3000), (4999, 4999)]
)
async def test_a_closing_code_is_known_and_passes_on(listen: Listen, code: int, passes_on: int) -> None:
    socket = await opened(dial(await listen(lambda connection: connection.close(code, "why"))))
    with pytest.raises(Closed) as closed:
        await asyncio.wait_for(socket.receive(), 10)
    assert (closed.value.code, closed.value.reason, closed.value.passes_on) == (code, "why", passes_on)


@pytest.mark.parametrize(("code", "passes_on"), [(1005, 1000), (1006, 1011), (1015, 1011), (999, 1011)])
def test_a_code_that_can_not_be_sent_passes_on_as_another(code: int, passes_on: int) -> None:
    assert Closed(code).passes_on == passes_on


async def test_an_upstream_that_vanishes_is_noticed(listen: Listen) -> None:
    async def vanish(connection: ServerConnection) -> None:
        connection.transport.abort()

    socket = await opened(dial(await listen(vanish)))
    with pytest.raises(Closed) as closed:
        await asyncio.wait_for(socket.receive(), 10)
    assert closed.value.code == 1006


async def test_a_message_that_is_too_large_ends_it(listen: Listen) -> None:
    socket = await opened(dial(await listen(lambda connection: connection.send("x" * (LARGEST_MESSAGE + 1)))))
    with pytest.raises(Closed):
        await asyncio.wait_for(socket.receive(), 20)


async def test_closing_takes_a_second_at_the_most_whatever_the_upstream_does(raw: Listen) -> None:
    async def deaf(peer: Peer) -> None:
        head = await peer.head()
        key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        accepted = accept_key(key.partition(b": ")[2].decode()).encode()
        await peer.say(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            b"sec-websocket-protocol: realtime\r\nsec-websocket-accept: " + accepted + b"\r\n\r\n"
        )
        await asyncio.sleep(20)

    socket = await opened(dial(await raw(deaf)))
    async with asyncio.timeout(2):
        await socket.close(1000, "")
