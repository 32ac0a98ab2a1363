"""Requests on bare sockets: what is no request, what never ends, and what comes behind what."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from runtime import ports
from runtime.http_protocol import MAX_AHEAD, MAX_HEAD, MAX_HEADERS, HttpProtocol
from tests.sockets import sends_at_once
from tests.wire import WireClient

GET = b"GET /a HTTP/1.1\r\nhost: x\r\n"
POST = b"POST /a HTTP/1.1\r\nhost: x\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK"


class Impatient(HttpProtocol):
    head_seconds = 0.3


class Echo:
    """Answers each request with what it was, once it is told to; who leaves early is counted."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes]] = []
        self.headers: list[tuple[bytes, bytes]] = []
        self.gone = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.arrived = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/pieces":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for piece in (b"one ", b"", b"two ", b"three"):
                await send({"type": "http.response.body", "body": piece, "more_body": piece != b"three"})
            return
        if scope["path"] == "/refused":
            await self._answer(send, b"no")
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone.set()
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.seen.append((f"{scope['method']} {scope['path']}", body))
        self.headers = list(scope["headers"])
        self.arrived.set()
        if not self.go_on.is_set():
            leaving = asyncio.ensure_future(receive())
            going_on = asyncio.ensure_future(self.go_on.wait())
            await asyncio.wait((leaving, going_on), timeout=10, return_when="FIRST_COMPLETED")
            if leaving.done():
                self.gone.set()
                return
            leaving.cancel()
        await self._answer(send, b"you said " + body)

    async def _answer(self, send: Any, content: bytes) -> None:
        headers = [(b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


@asynccontextmanager
async def serving(protocol: type[HttpProtocol] = HttpProtocol) -> AsyncIterator[tuple[str, Echo]]:
    app = Echo()
    config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    listener = ports.listen("127.0.0.1", 0)
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol(config, state, {}), sock=listener
    )
    try:
        yield f"http://127.0.0.1:{ports.number(listener)}", app
    finally:
        server.close()
        async with asyncio.timeout(5):
            while state.connections or state.tasks:
                for connection in list(state.connections):
                    connection.shutdown()
                await asyncio.sleep(0.01)


async def said(*pieces: bytes, protocol: type[HttpProtocol] = HttpProtocol) -> tuple[bytes, Echo]:
    """What a server says to these pieces until it closes, and what its application saw."""
    async with serving(protocol) as (url, app):
        client = await WireClient.connect(url)
        for piece in pieces:
            client.writer.write(piece)
            await client.writer.drain()
        try:
            return await client.read_all(), app
        finally:
            client.leave()


async def drip(client: WireClient) -> None:
    while True:
        client.writer.write(b"x")
        await asyncio.sleep(0.02)


def is_refusal(answer: bytes, status: int) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer[:300]
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in head
    assert body.startswith(b'{"error": {"message": ')


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /" + b"a" * 2 * MAX_HEAD + b" HTTP/1.1\r\n\r\n",
        GET + b"x-long: " + b"a" * 2 * MAX_HEAD + b"\r\n\r\n",
        GET + b"x-long: " + b"a" * 10 * MAX_HEAD,
        GET + b"x: y\r\n" * (MAX_HEADERS + 1) + b"\r\n",
        GET + b"x-some: more\r\n" * 20_000 + b"\r\n",
        CHUNKED + b"2;" + b"e" * 10 * MAX_HEAD,
        CHUNKED + b"2\r\nhi\r\n0\r\n" + b"x-trailer: more\r\n" * 40_000,
    ],
    ids=["line", "header", "header without end", "count", "many", "chunk extension", "trailers"],
)
async def test_a_head_or_framing_without_measure_is_refused(request_bytes: bytes) -> None:
    async with serving() as (url, app):
        client = await WireClient.connect(url)
        client.writer.write(request_bytes)
        answer = b""
        with suppress(ConnectionError):  # closed with some of it unread
            answer = await client.read_all()
        client.leave()
    if answer:
        is_refusal(answer, 431)
    assert not app.seen


async def test_a_head_of_an_ordinary_size_passes_with_a_large_body_behind_it() -> None:
    body = b"b" * 3 * MAX_HEAD
    head = (
        POST
        + b"x-long: "
        + b"a" * 30_000
        + b"\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
    )
    answer, app = await said(head + body)
    assert answer.startswith(OK)
    assert app.seen == [("POST /a", body)]


@pytest.mark.parametrize(
    "pieces",
    [(b"GET /a HT",), (GET,), (b"\r\n",), (GET + b"\r\n", b"GET /b"), (GET + b"\r\n", b"\r\n")],
    ids=["line", "headers", "blank line", "second", "blank line behind"],
)
async def test_who_does_not_finish_a_head_in_time_is_closed(pieces: tuple[bytes, ...]) -> None:
    *answered, begun = pieces
    async with serving(Impatient) as (url, app):
        client = await WireClient.connect(url)
        for piece in answered:
            client.writer.write(piece)
            assert (await client.read_until(b"you said ")).startswith(OK)
        client.writer.write(begun)
        is_refusal(await client.read_all(), 408)
        client.leave()
    assert len(app.seen) == len(answered)


async def test_who_drips_a_head_is_closed_in_the_same_time() -> None:
    async with serving(Impatient) as (url, app):
        client = await WireClient.connect(url)
        client.writer.write(b"GET /")
        dripping = asyncio.create_task(drip(client))
        async with asyncio.timeout(5):
            is_refusal(await client.read_all(), 408)
        dripping.cancel()
        client.leave()
    assert not app.seen


async def test_who_drips_a_body_behind_its_answer_is_closed() -> None:
    async with serving(Impatient) as (url, _):
        client = await WireClient.connect(url)
        client.writer.write(b"POST /refused HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")
        assert await client.read_until(b"\r\n\r\nno")
        dripping = asyncio.create_task(drip(client))
        async with asyncio.timeout(5):
            assert await client.read_all() == b""
        dripping.cancel()
        client.leave()


async def test_a_request_that_takes_its_time_to_be_answered_is_waited_for() -> None:
    async with serving(Impatient) as (url, app):
        app.go_on.clear()
        client = await WireClient.connect(url)
        client.writer.write(GET + b"connection: close\r\n\r\n")
        await app.arrived.wait()
        await asyncio.sleep(3 * Impatient.head_seconds)
        app.go_on.set()
        assert (await client.read_all()).startswith(OK)
        client.leave()


@pytest.mark.parametrize(
    "behind",
    [b"\x00\xff", b"BREW / HTTP/1.1\r\n\r\n", POST + b"content-length: x\r\n\r\n", GET + b"a\x00: b\r\n\r\n"],
)
async def test_garbage_behind_a_request_is_not_mixed_with_its_answer(behind: bytes) -> None:
    whole = POST + b"content-length: 2\r\n\r\nhi"
    async with serving() as (url, app):
        app.go_on.clear()
        client = await WireClient.connect(url)
        client.writer.write(whole + whole + behind)
        await app.arrived.wait()
        app.go_on.set()
        answer = await client.read_all()
        client.leave()
    assert app.seen == [("POST /a", b"hi")] * 2
    one = OK + b"\r\ncontent-length: 11\r\n\r\nyou said hi"
    assert answer == one + one.replace(b"11\r\n\r\n", b"11\r\nconnection: close\r\n\r\n")


async def test_a_body_that_breaks_ends_its_request_and_those_before_are_answered() -> None:
    async with serving() as (url, app):
        app.go_on.clear()
        client = await WireClient.connect(url)
        client.writer.write(GET + b"\r\n" + CHUNKED + b"zz\r\n" + GET + b"\r\n")
        await app.arrived.wait()
        app.go_on.set()
        answer = await client.read_all()
        client.leave()
    assert app.seen == [("GET /a", b"")]
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(OK)


async def test_a_body_that_breaks_is_refused_and_the_application_told() -> None:
    async with serving() as (url, app):
        client = await WireClient.connect(url)
        client.writer.write(CHUNKED + b"2\r\nhi\r\nzz\r\n" + GET + b"\r\n")
        is_refusal(await client.read_all(), 400)
        await asyncio.wait_for(app.gone.wait(), 5)
        client.leave()
    assert not app.seen


async def test_who_leaves_with_another_request_waiting_is_noticed() -> None:
    async with serving() as (url, app):
        app.go_on.clear()
        client = await WireClient.connect(url)
        client.writer.write(GET + b"\r\n" + GET + b"\r\n")
        await app.arrived.wait()
        client.leave(abruptly=True)
        await asyncio.wait_for(app.gone.wait(), 5)


async def test_requests_sent_ahead_are_bounded_and_those_within_the_bound_answered() -> None:
    async with serving() as (url, app):
        app.go_on.clear()
        client = await WireClient.connect(url)
        client.writer.write((GET + b"\r\n") * 5000)
        await app.arrived.wait()
        app.go_on.set()
        answer = await client.read_all()
        client.leave()
    assert answer.count(OK) == answer.count(b"HTTP/1.1 ") == len(app.seen) == 1 + MAX_AHEAD


@pytest.mark.parametrize("connection", [b"", b"connection: keep-alive\r\n"])
async def test_a_client_of_http_1_0_gets_no_chunks(connection: bytes) -> None:
    answer, _ = await said(b"GET /pieces HTTP/1.0\r\n" + connection + b"\r\n")
    assert answer == OK + b"\r\nconnection: close\r\n\r\none two three"
    answer, _ = await said(b"GET /a HTTP/1.0\r\n" + connection + b"\r\n")
    assert answer == OK + b"\r\ncontent-length: 9\r\nconnection: close\r\n\r\nyou said "
    answer, _ = await said(b"HEAD /pieces HTTP/1.0\r\n" + connection + b"\r\n")
    assert answer == OK + b"\r\nconnection: close\r\n\r\n"


async def test_trailers_do_not_become_headers() -> None:
    trailers = b"2\r\nhi\r\n0\r\nauthorization: Bearer other\r\nx-evil: yes\r\n\r\n"
    closing = POST + b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    answer, app = await said(closing, trailers)
    assert answer.startswith(OK)
    assert app.seen == [("POST /a", b"hi")]
    assert [name for name, _ in app.headers] == [b"host", b"connection", b"transfer-encoding"]


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"nothing", b""])
async def test_an_upgrade_that_is_not_offered_is_passed_over_and_nothing_behind_it_is_read(
    protocol: bytes,
) -> None:
    upgrade = b"connection: upgrade\r\nupgrade: %b\r\n" % protocol
    answer, app = await said(GET + upgrade + b"\r\n" + GET + b"connection: close\r\n\r\n")
    assert answer.count(OK) == len(app.seen)
    assert len(app.seen) == (1 if protocol else 2)


@pytest.mark.parametrize(
    "framing", [b"content-length: 2\r\n\r\nhi", b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n"]
)
async def test_a_body_that_an_upgrade_would_swallow_is_refused(framing: bytes) -> None:
    answer, app = await said(POST + b"connection: upgrade\r\nupgrade: h2c\r\n" + framing)
    is_refusal(answer, 400)
    assert not app.seen


@pytest.mark.parametrize(
    "garbage",
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"CONNECT a:1 HTTP/1.1\r\n\r\n"],
)
async def test_another_protocol_is_refused_as_http(garbage: bytes) -> None:
    answer, app = await said(garbage)
    is_refusal(answer, 400)
    assert not app.seen


async def test_small_pieces_leave_at_once() -> None:
    async with serving() as (url, _):
        client = await WireClient.connect(url)
        client.writer.write(GET + b"\r\n")
        await client.read_until(b"you said ")
        ours = client.writer.get_extra_info("sockname")
        assert sends_at_once(ours)
        client.leave()
