"""Who asks before it sends its body (Expect: 100-continue) is refused before it sends, and asked for it otherwise."""

import pytest

from ledger.limits import Limits
from tests.proxy.flow.stage import BOUNDARY, END, HEAD, LARGE, OK, Stage, begin
from tests.proxy.upstream.raw_server import Peer

pytestmark = pytest.mark.asyncio(loop_scope="package")


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
