"""Connections through a web proxy: a tunnel to a TLS origin, whole addresses for a plain one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from config.settings import load_settings
from config.way_out import WebProxy
from proxy.upstream.connect import through
from proxy.upstream.origin import Origin
from proxy.upstream.pool import Pool
from proxy.upstream.upstream import ClientRequest, Upstream
from tests.proxy.upstream.certificate import server_context, trusting_context
from tests.proxy.upstream.raw_server import OK, Behaviour, Peer, RawServer, answering
from tests.proxy.upstream.recorder import Recorder
from tests.proxy.upstream.routes import settings
from tests.sockets import sends_at_once

Start = Callable[..., Awaitable[Origin]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    servers: list[RawServer] = []

    async def start(behaviour: Behaviour, *, tls: bool = False) -> Origin:
        servers.append(RawServer(behaviour))
        return await servers[-1].start(server_context() if tls else None)

    yield start
    for server in servers:
        await server.stop()


class WebProxyServer:
    """Tunnels to wherever it is asked, and remembers the heads of what it was asked."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        head = await peer.head()
        self.heads.append(head)
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await peer.say(b"HTTP/1.1 200 Connection established\r\nvia: 1.1 x\r\n\r\n")

        async def pump(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                to.write(data)
                await to.drain()
            to.close()

        try:
            await asyncio.gather(pump(peer.reader, writer), pump(reader, peer.writer))
        finally:
            writer.close()


async def get(pool: Pool) -> Recorder:
    sink = Recorder()
    sink.exchange = pool.exchange(b"GET", b"/v1/x", [], None, sink)
    await asyncio.wait_for(sink.done.wait(), 10)
    await pool.close()
    return sink


def pool_through(
    proxy: Origin, origin: Origin, *, authorization: bytes | None = None, seconds: float = 5
) -> Pool:
    return Pool(
        origin,
        connector=through(WebProxy(proxy.host, proxy.port, authorization)),
        tls=trusting_context(),
        connect_timeout=seconds,
    )


async def test_a_tls_origin_is_reached_by_a_tunnel_and_verified_within_it(start: Start) -> None:
    server = WebProxyServer()
    proxy, origin = await start(server), await start(answering(OK), tls=True)
    sink = await get(pool_through(proxy, origin, authorization=b"Basic eA=="))
    assert (sink.status, sink.body) == (200, b"ok")
    place = origin.authority
    assert server.heads == [
        b"CONNECT %b HTTP/1.1\r\nhost: %b\r\nproxy-authorization: Basic eA==\r\n\r\n" % (place, place)
    ]


async def test_a_certificate_that_proves_nothing_is_refused_through_the_tunnel_too(start: Start) -> None:
    proxy, origin = await start(WebProxyServer()), await start(answering(OK), tls=True)
    pool = Pool(origin, connector=through(WebProxy(proxy.host, proxy.port)))
    failure = await (await get(pool)).failed()
    assert (failure.kind, failure.sent) == ("tls", False)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", "407"),
        (b"HTTP/1.1 2\r\n\r\n", "refused"),
        (b"HTTP/1.1\r\n\r\n", "refused"),
        (b"SSH-2.0-x\r\n\r\n", "refused"),
        (b"", "did not answer"),
        (b"x" * 20_000, "did not answer"),
    ],
)
async def test_a_proxy_that_does_not_agree_is_a_failed_connect(
    start: Start, answer: bytes, reason: str
) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.head()
        await peer.say(answer)

    pool = pool_through(await start(refuse), Origin("127.0.0.1", 9, True, ""))
    failure = await (await get(pool)).failed()
    assert (failure.kind, failure.sent) == ("connect", False)
    assert reason in failure.detail


async def test_a_proxy_that_says_nothing_is_given_up_and_left(start: Start) -> None:
    left = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.gone()
        left.set()

    pool = pool_through(await start(silent), Origin("127.0.0.1", 9, True, ""), seconds=0.05)
    assert (await (await get(pool)).failed()).kind == "connect"
    await asyncio.wait_for(left.wait(), 10)


async def test_a_proxy_that_is_not_there_is_a_failed_connect() -> None:
    pool = pool_through(Origin("127.0.0.1", 1, False, ""), Origin("127.0.0.1", 9, True, ""))
    assert (await (await get(pool)).failed()).kind == "connect"


async def test_a_plain_origin_is_asked_for_by_its_whole_address(start: Start) -> None:
    heads: list[bytes] = []

    async def behave(peer: Peer) -> None:
        heads.append((await peer.request())[0])
        await peer.say(OK)

    proxy = await start(behave)
    environ = {"HTTP_PROXY": f"http://me:pw@{proxy.authority.decode()}"}
    [entry] = settings([{"name": "a", "base_url": "http://vllm.test:8000/v1"}]).upstreams
    limits = settings([{"name": "a", "base_url": "http://a"}]).breaker
    upstream = Upstream(entry, limits, load_settings(environ).outbound)
    sink = Recorder()
    upstream.send(
        ClientRequest("GET", b"/models", b"", [(b"proxy-authorization", b"no")], None, ""), None, sink
    )
    await sink.ended()
    await upstream.close()
    [head] = heads
    assert head.startswith(b"GET http://vllm.test:8000/v1/models HTTP/1.1\r\nhost: vllm.test:8000\r\n")
    assert head.count(b"proxy-authorization: Basic bWU6cHc=\r\n") == head.count(b"proxy-auth") == 1


@pytest.mark.parametrize("way", ["straight", "tunnel"])
async def test_small_pieces_leave_at_once(start: Start, way: str) -> None:
    origin = await start(answering(OK), tls=way == "tunnel")
    towards, pool = origin, Pool(origin)
    if way == "tunnel":
        towards = await start(WebProxyServer())
        pool = pool_through(towards, origin)
    sink = Recorder()
    sink.exchange = pool.exchange(b"GET", b"/v1/x", [], None, sink)
    try:
        await sink.ended()
        assert pool.idle == 1
        assert sends_at_once((towards.host, towards.port))
    finally:
        await pool.close()
