"""What one exchange is told, however the upstream behaves."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest

from proxy.upstream.failure import FailureKind
from proxy.upstream.pool import Pool
from proxy.upstream.request import Header, Streamed
from tests.proxy.upstream.certificate import server_context, trusting_context
from tests.proxy.upstream.conftest import Play
from tests.proxy.upstream.raw_server import OK, Peer, RawServer, answering, saying_once
from tests.proxy.upstream.recorder import Recorder

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n"


async def test_an_answer_arrives_with_its_names_in_lower_case_and_its_bytes_as_sent(play: Play) -> None:
    head = b"HTTP/1.1 418 I'm a Teapot\r\nX-Request-ID: req_1\r\nOpenAI-Version: 2\r\nX-None:\r\n"
    answer = head + b"Content-Length: 3\r\n\r\n\x00\xff\n"
    sink = await (await play(answering(answer))).post().ended()
    assert (sink.status, sink.reason, sink.body) == (418, b"I'm a Teapot", b"\x00\xff\n")
    assert sink.headers == [
        (b"x-request-id", b"req_1"),
        (b"openai-version", b"2"),
        (b"x-none", b""),
        (b"content-length", b"3"),
    ]
    assert sink.events == ["response", "body", "end"]


async def test_a_request_arrives_as_given(play: Play) -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def behave(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.say(OK)

    scene = await play(behave)
    await scene.post(b"x" * 300_000).ended()
    head, body = seen[0]
    assert head.startswith(b"POST /v1/x HTTP/1.1\r\nhost: " + scene.pool.origin.authority + b"\r\n")
    assert b"\r\ncontent-type: application/json\r\n" in head
    assert body == b"x" * 300_000


@pytest.mark.parametrize(
    ("answer", "kind", "response_started"),
    [
        (b"", "reset", False),
        (b"HTTP/1.1 200 OK\r\ncontent-le", "reset", False),
        (HEAD + b"half", "reset", True),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "reset", True),
        (b"\x16\x03\x01 this is no HTTP\r\n\r\n", "protocol", False),
        (b"HTTP/1.1 200 OK\r\nbroken header\r\n\r\n", "protocol", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc", "protocol", False),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", "protocol", True),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\ncontent-length: 0\r\n\r\n", "protocol", False),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 70_000, "protocol", False),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 7_000, "protocol", False),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
            "protocol",
            False,
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: " + b"y" * 300_000,
            "protocol",
            True,
        ),
    ],
)
async def test_an_answer_that_is_none_is_a_failure_of_its_kind(
    play: Play, answer: bytes, kind: FailureKind, response_started: bool
) -> None:
    scene = await play(saying_once(answer))
    sink = scene.post()
    failure = await sink.failed()
    assert (failure.kind, failure.sent, failure.response_started) == (kind, True, response_started)
    assert sink.events.count("failure") == 1
    assert scene.pool.open == 0


@pytest.mark.parametrize(
    ("method", "answer", "body"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", b""),
        (b"HEAD", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b""),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 1000\r\n\r\n", b""),
        (b"GET", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b""),
        (
            b"GET",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n1\r\nd\r\n0\r\nx-t: 1\r\n\r\n",
            b"abcd",
        ),
        (b"GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK, b"ok"),
    ],
)
async def test_every_framing_ends_where_it_ends(
    play: Play, method: bytes, answer: bytes, body: bytes
) -> None:
    scene = await play(answering(answer))
    for _ in range(2):
        sink = await scene.post(None, method=method).ended()
        assert sink.body == body
        assert sink.events == (["response", "body", "end"] if body else ["response", "end"])
        assert [name for name, _ in sink.headers if name in (b"x-t", b"link")] == []


async def test_a_body_may_end_with_its_connection(play: Play) -> None:
    scene = await play(saying_once(b"HTTP/1.1 200 OK\r\n\r\nto the end"))
    assert (await scene.post().ended()).body == b"to the end"
    assert scene.pool.open == 0


async def test_a_reset_is_not_the_end_of_a_body(play: Play) -> None:
    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\n\r\nnot all")
        await half.wait()
        peer.reset()

    half = asyncio.Event()
    scene = await play(behave)
    sink = scene.post()
    await asyncio.wait_for(sink.arrived.wait(), 10)
    half.set()
    failure = await sink.failed()
    assert (failure.kind, failure.response_started) == ("reset", True)


async def test_no_head_in_time_is_a_failure(play: Play) -> None:
    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
        await peer.gone()

    scene = await play(behave, first_byte_timeout=0.2)
    failure = await scene.post().failed()
    assert (failure.kind, failure.sent, failure.response_started) == ("timeout_first_byte", True, False)
    assert await scene.peer_left() == 1


async def test_a_body_that_stands_still_is_a_failure_and_a_slow_one_is_not(play: Play) -> None:
    async def behave(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.say(HEAD)
            for _ in range(9 if peer.number > 1 else 10):
                await asyncio.sleep(0.05)
                await peer.say(b"x")
            if peer.number > 1:
                await peer.gone()

    scene = await play(behave, between_bytes_timeout=0.3, max_connections=2)
    slow = scene.post()
    assert (await slow.ended()).body == b"x" * 10
    slow, still = scene.post(), scene.post()
    await slow.ended()
    failure = await still.failed()
    assert (failure.kind, failure.response_started) == ("timeout_between_bytes", True)
    assert still.body == b"x" * 9


async def test_pause_stops_reading_so_that_the_upstream_cannot_send_on(play: Play) -> None:
    size = 32 * 1024 * 1024

    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        await peer.say(b"x" * size)
        all_sent.set()
        await peer.gone()

    all_sent = asyncio.Event()
    scene = await play(behave, between_bytes_timeout=0.2)

    class Full(Recorder):
        def on_response(self, status: int, reason: bytes, headers: list[Header]) -> None:
            super().on_response(status, reason, headers)
            assert self.exchange is not None
            self.exchange.pause()

    sink = scene.post(sink=Full())
    await asyncio.wait_for(sink.responded.wait(), 10)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(all_sent.wait(), 0.5)  # longer than a body may stand still by itself
    assert len(sink.body) < 1024 * 1024
    assert sink.exchange is not None
    sink.exchange.resume()
    assert len((await sink.ended()).body) == size


async def test_a_connection_that_was_paused_to_the_end_reads_the_next_answer(play: Play) -> None:
    class Full(Recorder):
        def on_response(self, status: int, reason: bytes, headers: list[Header]) -> None:
            super().on_response(status, reason, headers)
            assert self.exchange is not None
            self.exchange.pause()

    scene = await play(answering(OK))
    await scene.post(sink=Full()).ended()
    await scene.get()
    assert scene.server.accepted == 1


@pytest.mark.parametrize("moment", ["on_response", "on_body", "outside"])
async def test_closing_an_exchange_closes_the_upstream_at_once_and_silences_it(
    play: Play, moment: str
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\n\r\n" + b"first")
        await peer.gone()

    class Leaving(Recorder):
        def on_response(self, status: int, reason: bytes, headers: list[Header]) -> None:
            super().on_response(status, reason, headers)
            self._leave("on_response")

        def on_body(self, data: bytes) -> None:
            super().on_body(data)
            self._leave("on_body")

        def _leave(self, here: str) -> None:
            if here == moment:
                assert self.exchange is not None
                self.exchange.close()

    scene = await play(behave)
    sink = scene.post(sink=Leaving())
    await asyncio.wait_for((sink.responded if moment == "on_response" else sink.arrived).wait(), 10)
    if moment == "outside":
        assert sink.exchange is not None
        sink.exchange.close()
    events = list(sink.events)
    assert await scene.peer_left() == 1
    assert sink.events == events == ["response", "body"][: 1 if moment == "on_response" else 2]
    assert scene.pool.open == 0


async def test_a_body_in_pieces_is_sent_as_it_comes(play: Play) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(100):
            yield b"%d," % number
            yield b""

    async def echo(peer: Peer) -> None:
        while True:
            _, body = await peer.request()
            await peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    scene = await play(echo)
    sink = await scene.post(Streamed(pieces())).ended()
    assert sink.body == b"".join(b"%d," % number for number in range(100))
    assert (await scene.post(b"after it").ended()).body == b"after it"
    assert scene.server.accepted == 1


async def test_a_body_of_known_length_is_sent_as_that(play: Play) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async def behave(peer: Peer) -> None:
        head, body = await peer.request()
        seen.append((head, body))
        await peer.say(OK)

    seen: list[tuple[bytes, bytes]] = []
    scene = await play(behave)
    await scene.post(Streamed(pieces(), 6)).ended()
    [(head, body)] = seen
    assert b"content-length: 6\r\n" in head
    assert b"transfer-encoding" not in head
    assert body == b"onetwo"


async def test_an_upstream_is_not_blamed_for_a_client_that_sends_slowly(play: Play) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x"
            await asyncio.sleep(0.3)

    scene = await play(answering(OK), first_byte_timeout=0.2)
    assert (await scene.post(Streamed(pieces())).ended()).body == b"ok"


async def test_an_upstream_that_never_answers_what_was_sent_is_given_up(play: Play) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"

    async def behave(peer: Peer) -> None:
        await peer.gone()

    scene = await play(behave, first_byte_timeout=0.2)
    assert (await scene.post(Streamed(pieces())).failed()).kind == "timeout_first_byte"


async def test_an_answer_that_stands_still_while_the_body_does_is_given_up(play: Play) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    async def behave(peer: Peer) -> None:
        await peer.head()
        await peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nno")
        await peer.gone()

    scene = await play(behave, between_bytes_timeout=0.2)
    assert (await scene.post(Streamed(pieces())).failed()).kind == "timeout_between_bytes"


async def test_a_body_in_pieces_is_not_read_faster_than_the_upstream_takes_it(play: Play) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 100_000
            given.append(1)

    async def behave(peer: Peer) -> None:
        await peer.head()
        await released.wait()

    given: list[int] = []
    released = asyncio.Event()
    scene = await play(behave, between_bytes_timeout=0.3)
    failure = await scene.post(Streamed(pieces())).failed()
    assert failure.kind == "timeout_first_byte"
    assert 0 < len(given) < 500
    released.set()


async def test_a_body_that_breaks_off_is_a_failure_and_closes_the_upstream(play: Play) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        raise ConnectionError

    async def behave(peer: Peer) -> None:
        await peer.gone()

    scene = await play(behave)
    failure = await scene.post(Streamed(pieces())).failed()
    assert (failure.kind, failure.sent) == ("request_body", True)
    assert await scene.peer_left() == 1


async def test_an_answer_before_the_body_was_sent_is_delivered_and_ends_the_connection(play: Play) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    async def behave(peer: Peer) -> None:
        await peer.head()
        await peer.say(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        await peer.gone()

    scene = await play(behave)
    sink = await scene.post(Streamed(pieces())).ended()
    assert (sink.status, sink.body) == (413, b"no")
    assert await scene.peer_left() == 1


async def test_a_sink_that_raises_is_reported_and_ends_its_connection_only(play: Play) -> None:
    class Broken(Recorder):
        def on_body(self, data: bytes) -> None:
            raise RuntimeError("a bug")

    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    scene = await play(answering(OK))
    failure = await scene.post(sink=Broken()).failed()
    assert failure.response_started
    assert await scene.peer_left() == 1
    assert [str(context["exception"]) for context in reported] == ["a bug"]
    assert (await scene.get()).body == b"ok"


async def test_tls_is_spoken_with_a_server_that_proves_its_name_and_refused_with_others() -> None:
    server = RawServer(answering(OK))
    origin = await server.start(server_context())
    trusting = Pool(origin, tls=trusting_context())
    sink = Recorder()
    trusting.exchange(b"GET", b"/", [], None, sink)
    assert (await sink.ended()).body == b"ok"
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)  # the server's complaint
    careful = Pool(origin)
    sink = Recorder()
    careful.exchange(b"GET", b"/", [], None, sink)
    failure = await sink.failed()
    assert (failure.kind, failure.sent) == ("tls", False)
    await trusting.close()
    await careful.close()
    await server.stop()
    assert isinstance(origin.tls_context(), ssl.SSLContext)
