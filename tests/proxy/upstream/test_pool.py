"""Which connection carries which exchange, and when one is kept."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from proxy.upstream.origin import Origin
from proxy.upstream.pool import Pool
from proxy.upstream.request import Streamed
from tests.proxy.upstream.conftest import Play
from tests.proxy.upstream.raw_server import OK, Peer, answering, saying_once
from tests.proxy.upstream.recorder import Recorder


async def test_a_kept_connection_carries_the_next_exchange(play: Play) -> None:
    scene = await play(answering(OK))
    for _ in range(3):
        assert (await scene.get()).body == b"ok"
    assert scene.server.accepted == 1
    assert (scene.pool.open, scene.pool.idle) == (1, 1)


async def test_an_exchange_started_at_the_end_of_another_takes_its_connection(play: Play) -> None:
    scene = await play(answering(OK))
    second = Recorder()

    class Chained(Recorder):
        def on_end(self) -> None:
            scene.post(sink=second)
            super().on_end()

    await scene.post(sink=Chained()).ended()
    await second.ended()
    assert scene.server.accepted == 1


async def test_the_connection_used_last_is_used_next(play: Play) -> None:
    turns = [asyncio.Event(), asyncio.Event()]
    carried: list[int] = []

    async def behave(peer: Peer) -> None:
        while True:
            await peer.request()
            carried.append(peer.number)
            await turns[peer.number - 1].wait()
            await peer.say(OK)

    scene = await play(behave)
    both = [scene.post(), scene.post()]
    while len(carried) < 2:
        await asyncio.sleep(0.001)
    for turn in (1, 0):
        turns[turn].set()
        await asyncio.wait(
            [asyncio.create_task(one.done.wait()) for one in both], return_when="FIRST_COMPLETED"
        )
        while scene.pool.idle < 2 - turn:
            await asyncio.sleep(0.001)
    for _ in range(3):
        await scene.get()
    assert carried[2:] == [1, 1, 1]


async def test_five_hundred_exchanges_share_fifty_connections_and_none_gets_anothers_answer(
    play: Play,
) -> None:
    async def echo(peer: Peer) -> None:
        while True:
            _, body = await peer.request()
            await peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    scene = await play(echo, max_connections=50)
    sinks = [scene.post(b"number %d" % number) for number in range(500)]
    for number, sink in enumerate(sinks):
        assert (await sink.ended()).body == b"number %d" % number
    assert scene.server.accepted <= 50
    assert scene.pool.open <= 50


async def test_who_waits_too_long_for_a_connection_is_told_and_sent_nothing(play: Play) -> None:
    async def silent(peer: Peer) -> None:
        await peer.gone()

    scene = await play(silent, max_connections=1, connect_timeout=0.2)
    busy = scene.post()
    await asyncio.sleep(0)
    failure = await scene.post().failed()
    assert (failure.kind, failure.sent, failure.response_started) == ("pool_exhausted", False, False)
    assert not busy.done.is_set()


async def test_who_waits_gets_the_slot_of_an_exchange_that_was_given_up(play: Play) -> None:
    async def behave(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            asked.set()
            await peer.gone()
        await peer.say(OK)

    asked = asyncio.Event()
    scene = await play(behave, max_connections=1)
    stuck, waiting = scene.post(), scene.post()
    await asked.wait()
    assert stuck.exchange is not None
    stuck.exchange.close()
    await waiting.ended()


async def test_who_leaves_while_waiting_is_passed_over(play: Play) -> None:
    seen: list[bytes] = []

    async def behave(peer: Peer) -> None:
        while True:
            seen.append((await peer.request())[1])
            await peer.say(OK)

    scene = await play(behave, max_connections=1)
    first, second, third = scene.post(b"1"), scene.post(b"2"), scene.post(b"3")
    assert second.exchange is not None
    second.exchange.close()
    await first.ended()
    await third.ended()
    assert second.events == []
    assert seen == [b"1", b"3"]


async def test_an_idle_connection_is_closed_after_its_time(play: Play) -> None:
    scene = await play(answering(OK), idle_timeout=0.1)
    await scene.get()
    assert await scene.peer_left() == 1
    assert (scene.pool.open, scene.pool.idle) == (0, 0)


async def test_data_on_an_idle_connection_ends_it(play: Play) -> None:
    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)
        if peer.number == 1:
            await asked.wait()
            await peer.say(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        await peer.gone()

    asked = asyncio.Event()
    scene = await play(behave)
    await scene.get()
    asked.set()
    assert await scene.peer_left() == 1
    assert (await scene.get()).status == 200


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        OK + b"more",
        OK + OK,
        OK + b"HTTP/1.1 2",
    ],
)
async def test_a_connection_that_may_not_be_kept_is_closed(play: Play, answer: bytes) -> None:
    scene = await play(answering(answer))
    assert (await scene.get()).body == b"ok"
    assert await scene.peer_left() == 1
    assert scene.pool.open == 0
    assert (await scene.get()).body == b"ok"


async def once_then_hang_up(peer: Peer) -> None:
    """Answers the first request of the first connection and hangs up at its second."""
    await peer.request()
    await peer.say(OK)
    if peer.number > 1:
        await peer.gone()
    await peer.head()


async def test_a_stale_connection_is_replaced_unnoticed(play: Play) -> None:
    scene = await play(once_then_hang_up)
    await scene.get()
    assert (await scene.post(b"body").ended()).body == b"ok"
    assert scene.server.accepted == 2


async def test_a_body_that_cannot_be_replayed_goes_by_a_fresh_connection(play: Play) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"piece"

    scene = await play(once_then_hang_up)
    await scene.get()
    assert (await scene.post(Streamed(pieces())).ended()).body == b"ok"
    assert scene.server.accepted == 2


async def test_a_stale_connection_fails_a_body_that_cannot_be_replayed_where_there_may_be_no_other(
    play: Play,
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"piece"

    scene = await play(once_then_hang_up, max_connections=1)
    await scene.get()
    failure = await scene.post(Streamed(pieces())).failed()
    assert (failure.kind, failure.sent, failure.response_started) == ("reset", True, False)
    assert scene.server.accepted == 1


async def test_a_request_is_replayed_once_only(play: Play) -> None:
    async def behave(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            await peer.say(OK)
            await peer.request()

    scene = await play(behave)
    await scene.get()
    failure = await scene.post().failed()
    assert (failure.kind, failure.sent) == ("reset", True)
    assert scene.server.accepted == 2


async def test_a_fresh_connection_that_hangs_up_is_not_asked_again(play: Play) -> None:
    async def behave(peer: Peer) -> None:
        await peer.request()

    scene = await play(behave)
    assert (await scene.post().failed()).kind == "reset"
    assert scene.server.accepted == 1


async def test_a_request_that_was_worked_on_is_not_sent_again(play: Play) -> None:
    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)
        await peer.request()
        await asyncio.sleep(1.2)  # longer than a closed connection takes to show

    scene = await play(behave)
    await scene.get()
    failure = await scene.post().failed()
    assert (failure.kind, failure.sent) == ("reset", True)
    assert scene.server.accepted == 1


async def test_a_refused_connection_is_a_failure_to_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    pool = Pool(Origin.parse(f"http://127.0.0.1:{port}"))
    sink = Recorder()
    pool.exchange(b"GET", b"/", [], None, sink)
    assert sink.events == []
    failure = await sink.failed()
    assert (failure.kind, failure.sent) == ("connect", False)
    assert pool.open == 0
    await pool.close()


async def test_a_connection_that_is_never_made_fails_within_the_bound() -> None:
    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (one, two):  # the backlog is full, so the kernel answers no further SYN
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        pool = Pool(Origin.parse(f"http://127.0.0.1:{full.getsockname()[1]}"), connect_timeout=0.2)
        sinks = [Recorder() for _ in range(3)]
        begun = asyncio.get_running_loop().time()
        for sink in sinks:
            pool.exchange(b"GET", b"/", [], None, sink)
        assert [(await sink.failed()).kind for sink in sinks] == ["connect"] * 3
        assert asyncio.get_running_loop().time() - begun < 1
        await pool.close()


async def test_closing_fails_what_is_under_way_and_closes_the_connections(play: Play) -> None:
    async def silent(peer: Peer) -> None:
        await peer.gone()

    scene = await play(silent, max_connections=1)
    running, waiting = scene.post(), scene.post()
    while scene.server.accepted == 0:
        await asyncio.sleep(0.001)
    await scene.pool.close()
    assert (await running.failed()).kind in ("reset", "connect")
    assert (await waiting.failed()).kind == "connect"
    assert scene.pool.open == 0
    assert await scene.peer_left() == 1
    with pytest.raises(RuntimeError):
        scene.post()


async def test_a_bad_request_is_refused_before_anything_is_opened(play: Play) -> None:
    scene = await play(saying_once(OK))
    with pytest.raises(ValueError):
        scene.pool.exchange(b"GET", b"/", [(b"x", b"a\r\nb: c")], None, Recorder())
    assert scene.pool.open == 0
