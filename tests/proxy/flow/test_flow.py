"""Bodies of any size, in both directions: at the pace of the slower side, in bounded memory, given up as soon as one
side is gone."""

import asyncio
from collections.abc import Callable

import pytest

from tests.proxy.flow.stage import (
    AHEAD,
    END,
    HEAD,
    LARGE,
    MORE_MEMORY,
    OK,
    PIECE,
    PURPOSE,
    Stage,
    begin,
    framed,
)
from tests.proxy.test_disconnects import no_hold
from tests.proxy.upstream.raw_server import Peer

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def stands_still(count: Callable[[], int]) -> int:
    """What is counted once it grows no more."""
    before, same = -1, 0
    async with asyncio.timeout(30):
        while same < 5:
            await asyncio.sleep(0.1)
            same = same + 1 if count() == before and before > 0 else 0
            before = count()
    return before


async def test_an_upload_goes_no_faster_than_the_upstream_takes_it_and_is_never_kept(stage: Stage) -> None:
    released, taken = asyncio.Event(), 0
    size = len(HEAD) + LARGE + len(END)

    async def behave(peer: Peer) -> None:
        nonlocal taken
        stage.heads.append(await peer.head())
        await released.wait()
        while taken < size:
            taken += len(await peer.reader.read(256 * 1024))
        await peer.say(OK)

    stage.behave = behave
    client = await begin(stage, "/v1/files", b"content-length: %d" % size)
    stage.memory()
    before = stage.memory()
    sent = 0

    async def send() -> None:
        nonlocal sent
        client.writer.write(HEAD)
        for _ in range(LARGE // len(PIECE)):
            client.writer.write(PIECE)
            await client.writer.drain()
            sent += len(PIECE)
        client.writer.write(END)

    sending = asyncio.create_task(send())
    assert await stands_still(lambda: sent) < AHEAD
    released.set()
    assert b" 200 " in await client.read_until(b"\r\n")
    await sending
    assert taken == size
    assert stage.memory() - before < MORE_MEMORY
    assert b"content-length: %d\r\n" % size in stage.heads[0]
    assert b"transfer-encoding" not in stage.heads[0]
    client.leave()
    [row] = await stage.house.records(stage.tenant, 1)
    assert (row["request_bytes"], row["outcome"], row["status"]) == (size, "completed", 200)


async def test_a_download_goes_no_faster_than_the_client_takes_it_and_is_never_kept(stage: Stage) -> None:
    await stage.house.own(stage.tenant, ["file-large"])
    said = 0

    async def behave(peer: Peer) -> None:
        nonlocal said
        await peer.head()
        await peer.say(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n" % LARGE)
        for _ in range(LARGE // len(PIECE)):
            await peer.say(b"d" * len(PIECE))
            said += len(PIECE)

    stage.behave = behave
    stage.memory()
    before = stage.memory()
    client = await begin(stage, "/v1/files/file-large/content", method=b"GET")
    await client.read_until(b"\r\n\r\n")
    assert await stands_still(lambda: said) < AHEAD
    got = 0
    async with asyncio.timeout(30):
        while got < LARGE:
            got += len(await client.reader.read(256 * 1024))
    assert stage.memory() - before < MORE_MEMORY
    client.leave()
    [row] = await stage.house.records(stage.tenant, 1)
    assert (row["response_bytes"], row["outcome"], row["usage_source"]) == (LARGE, "completed", "provider")
    assert (row["input_tokens"], row["output_tokens"], row["price_nano"]) == (0, 0, 0)


@pytest.mark.parametrize("abruptly", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
async def test_who_leaves_in_mid_upload_closes_the_upstream_and_leaves_one_record(
    stage: Stage, abruptly: bool, chunked: bool
) -> None:
    arrived = asyncio.Event()

    async def behave(peer: Peer) -> None:
        await peer.reader.readuntil(PIECE)
        arrived.set()
        await peer.gone()

    stage.behave = behave
    framing = b"transfer-encoding: chunked" if chunked else b"content-length: 1000000"
    client = await begin(stage, "/v1/files", framing)
    client.writer.write(framed(HEAD + PIECE + b"rest") if chunked else HEAD + PIECE + b"rest")
    await asyncio.wait_for(arrived.wait(), 10)
    client.leave(abruptly=abruptly)
    await asyncio.wait_for(stage.server.left.get(), 10)
    [row] = await stage.house.records(stage.tenant, 1)
    assert (row["outcome"], row["status"], row["price_nano"]) == ("client_gone", 499, 0)
    assert row["request_bytes"] == len(HEAD + PIECE) + 4
    await no_hold(stage.house, stage.tenant)


async def test_who_leaves_in_mid_download_closes_the_upstream_and_leaves_one_record(stage: Stage) -> None:
    await stage.house.own(stage.tenant, ["file-left"])

    async def behave(peer: Peer) -> None:
        await peer.head()
        await peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nbegun")
        await peer.gone()

    stage.behave = behave
    client = await begin(stage, "/v1/files/file-left/content", method=b"GET")
    await client.read_until(b"begun")
    client.leave(abruptly=True)
    await asyncio.wait_for(stage.server.left.get(), 10)
    [row] = await stage.house.records(stage.tenant, 1)
    assert (row["outcome"], row["status"], row["response_bytes"]) == ("client_gone", 200, 5)
    await no_hold(stage.house, stage.tenant)


async def test_an_answer_that_comes_before_the_upload_is_done_is_passed_on_and_its_connection_is_left(
    stage: Stage,
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.head()
        await peer.say(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno")
        await peer.gone()

    stage.behave = behave
    accepted = stage.server.accepted
    client = await begin(stage, "/v1/files", b"content-length: %d" % (len(HEAD) + LARGE))
    client.writer.write(HEAD + PIECE)
    assert b" 403 " in await client.read_until(b"\r\n")
    assert (await client.read_until(b"\r\n\r\nno")).endswith(b"no")
    await asyncio.wait_for(stage.server.left.get(), 10)
    # A client that sends on is not cut off; what it sends goes nowhere.
    for _ in range(LARGE // len(PIECE) - 1):
        client.writer.write(PIECE)
        await client.writer.drain()
    client.writer.write(PIECE[:0])
    assert stage.server.accepted == accepted + 1
    client.leave()
    [row] = await stage.house.records(stage.tenant, 1)
    assert (row["status"], row["outcome"]) == (403, "completed")
    assert row["request_bytes"] < LARGE
    await no_hold(stage.house, stage.tenant)


async def test_an_upload_that_the_upstream_could_not_take_is_not_sent_again(stage: Stage) -> None:
    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 4\r\n\r\nbusy")
        await peer.gone()

    stage.behave = behave
    accepted = stage.server.accepted
    body = HEAD + b"x" + END
    client = await begin(stage, "/v1/files", b"content-length: %d" % len(body))
    client.writer.write(body)
    assert b" 503 " in await client.read_until(b"\r\n")
    await client.read_until(b"busy")
    assert stage.server.accepted == accepted + 1
    client.leave()


async def test_a_chunked_upload_stays_chunked(stage: Stage) -> None:
    async def behave(peer: Peer) -> None:
        head, body = await peer.request()
        stage.heads += [head, body]
        await peer.say(OK)

    stage.behave = behave
    client = await begin(stage, "/v1/files", b"transfer-encoding: chunked")
    for piece in (HEAD[:10], HEAD[10:], b"x", PURPOSE[:-3], PURPOSE[-3:] + END[:5], END[5:]):
        client.writer.write(framed(piece))
        await client.writer.drain()
    client.writer.write(b"0\r\n\r\n")
    assert b" 200 " in await client.read_until(b"\r\n")
    assert b"transfer-encoding: chunked\r\n" in stage.heads[0]
    assert stage.heads[1] == HEAD + b"x" + PURPOSE + END
    client.leave()


async def test_an_upload_larger_than_it_may_be_is_refused_when_it_is(stage: Stage) -> None:
    async def behave(peer: Peer) -> None:
        await peer.gone()

    stage.behave = behave
    client = await begin(stage, "/v1/files", b"transfer-encoding: chunked")
    client.writer.write(framed(HEAD))
    for _ in range(2 * LARGE // len(PIECE)):
        client.writer.write(framed(PIECE))
        await client.writer.drain()
    head = await client.read_until(b"\r\n\r\n")
    assert b" 413 " in head.partition(b"\r\n")[0]
    assert b"request_too_large" in await client.read_until(b"}}")
    client.leave()
    [row] = await stage.house.records(stage.tenant, 1)
    assert row["status"] == 413
    await no_hold(stage.house, stage.tenant)


async def test_a_server_that_stops_ends_uploads_and_records_them(stage: Stage) -> None:
    arrived = asyncio.Event()

    async def behave(peer: Peer) -> None:
        await peer.reader.readuntil(PIECE)
        arrived.set()
        await peer.gone()

    stage.behave = behave
    client = await begin(stage, "/v1/files", b"content-length: 1000000")
    client.writer.write(HEAD + PIECE)
    await asyncio.wait_for(arrived.wait(), 10)
    await asyncio.to_thread(stage.house.stop, "proxy")
    await asyncio.wait_for(stage.server.left.get(), 10)
    client.leave()
    await asyncio.to_thread(stage.house.start, "proxy")
    [row] = await stage.house.records(stage.tenant, 1)
    assert (row["outcome"], row["request_bytes"]) == ("stopped", len(HEAD + PIECE))
    await no_hold(stage.house, stage.tenant)


async def test_who_asks_first_is_not_asked_where_no_upstream_answers(stage: Stage) -> None:
    await stage.server.stop()  # for good: no test comes after this one
    asked = (b"content-length: 1000", b"expect: 100-continue")
    client = await begin(stage, "/v1/files", *asked)
    answer = await client.read_all()
    assert answer.startswith(b"HTTP/1.1 502 ")
    client.leave()
    [row] = await stage.house.records(stage.tenant, 1)
    assert (row["request_bytes"], row["outcome"]) == (0, "upstream_error")
