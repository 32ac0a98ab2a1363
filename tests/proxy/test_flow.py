"""Bodies of any size, in both directions: at the pace of the slower side, in bounded memory, given up as soon as one
side is gone. The upstream is played, so that it can dawdle, answer early, and say what it was sent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from ledger.limits import Limits
from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from tests.proxy.test_disconnects import no_hold
from tests.proxy.upstream.raw_server import Behaviour, Peer, RawServer
from tests.system import System, Tenant, prepare, system
from tests.wire import WireClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEBIBYTE = 1024 * 1024
LARGE = 96 * MEBIBYTE
AHEAD = 24 * MEBIBYTE
"""What the kernel's buffers may hold of four sockets, and the proxy's own."""
MORE_MEMORY = 24 * 1024
"""Kibibytes that the proxy may grow by while a large body passes."""
BOUNDARY = b"a-boundary-of-the-tests"
HEAD = b'--%b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n' % BOUNDARY
PURPOSE = b'\r\n--%b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data' % BOUNDARY
END = b"\r\n--%b--\r\n" % BOUNDARY
PIECE = bytes(64 * 1024)
MADE = b'{"id":"file-1","object":"file","bytes":1,"purpose":"user_data"}'
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(MADE), MADE)


@dataclass
class Stage:
    """A data plane before a played upstream, which behaves as the test says."""

    house: System
    server: RawServer
    behave: Behaviour
    tenant: Tenant
    heads: list[bytes] = field(default_factory=list)

    def memory(self) -> int:
        """Kibibytes of the proxy that are in memory, at the most since it was asked last."""
        process = Path(f"/proc/{self.house.children['proxy'].pid}")
        status = (process / "status").read_text()
        (process / "clear_refs").write_text("5")
        return int(status.partition("VmHWM:")[2].split()[0])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played(postgres: Postgres, valkey: Valkey) -> AsyncIterator[Stage]:
    name = "test_flow"
    await postgres.create_database(name)
    await prepare(postgres.url(name))

    async def behave(peer: Peer) -> None:
        await made.behave(peer)

    server = RawServer(behave)
    origin = await server.start()
    url = f"http://{origin.authority.decode()}/v1"
    settings = {
        "OPENAI_BASE_URL": url,
        "TOLLKEEPER_MAX_UPLOAD_BYTES": str(2 * LARGE),
        "TOLLKEEPER_SHUTDOWN_GRACE_SECONDS": "1",
    }
    with system(postgres.url(name), valkey.url(12), **settings) as house:
        house.start("drain", "proxy")
        made = Stage(house, server, lambda _: asyncio.sleep(0), await house.tenant())
        yield made
    await server.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def stage(played: Stage) -> Stage:
    """With a tenant of the test's own."""
    played.tenant = await played.house.tenant()
    played.heads.clear()
    return played


async def begin(
    stage: Stage,
    path: str,
    *headers: bytes,
    method: bytes = b"POST",
    key: str | None = None,
    boundary: bytes = BOUNDARY,
) -> WireClient:
    """The head of an upload, or of a GET."""
    client = await WireClient.connect(stage.house.proxy_url)
    lines = [
        b"host: x",
        b"authorization: Bearer " + (key or stage.tenant.key).encode(),
        *((b"content-type: multipart/form-data; boundary=" + boundary,) if method == b"POST" else ()),
        *headers,
    ]
    client.writer.write(b"%b %b HTTP/1.1\r\n%b\r\n\r\n" % (method, path.encode(), b"\r\n".join(lines)))
    return client


def framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


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


@pytest.mark.parametrize(
    ("path", "key", "length", "boundary", "status"),
    [
        ("/v1/files", "sk-tk-nobody", 1000, BOUNDARY, 401),
        ("/v1/nothing", None, 1000, BOUNDARY, 404),
        ("/v1/uploads/upload_of_others/parts", None, 1000, BOUNDARY, 404),
        ("/v1/files", None, 3 * LARGE, BOUNDARY, 413),
        ("/v1/files", None, 1000, b"", 400),
    ],
)
async def test_who_asks_first_is_refused_before_sending(
    stage: Stage, path: str, key: str | None, length: int, boundary: bytes, status: int
) -> None:
    announced = (b"content-length: %d" % length, b"expect: 100-continue")
    client = await begin(stage, path, *announced, key=key, boundary=boundary)
    answer = await client.read_all()  # the connection ends, as nobody knows whether a body comes
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nconnection: close\r\n" in answer
    client.leave()


async def test_who_asks_first_and_is_over_a_limit_sends_nothing(stage: Stage) -> None:
    tenant = await stage.house.tenant(limits=Limits(requests_per_minute=1))
    asked = (b"content-length: 1000", b"expect: 100-continue")

    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)

    stage.behave = behave
    body = HEAD + b"x" + END
    first = await begin(stage, "/v1/files", b"content-length: %d" % len(body), asked[1], key=tenant.key)
    assert await first.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    first.writer.write(body)
    assert b" 200 " in await first.read_until(b"\r\n")
    second = await begin(stage, "/v1/files", *asked, key=tenant.key)
    answer = await second.read_all()
    assert answer.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nconnection: close\r\n" in answer
    for client in (first, second):
        client.leave()
    assert len(await stage.house.records(tenant, 1)) == 1


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
    await stage.server.stop()
    asked = (b"content-length: 1000", b"expect: 100-continue")
    client = await begin(stage, "/v1/files", *asked)
    answer = await client.read_all()
    assert answer.startswith(b"HTTP/1.1 502 ")
    client.leave()
    [row] = await stage.house.records(stage.tenant, 1)
    assert (row["request_bytes"], row["outcome"]) == (0, "upstream_error")
