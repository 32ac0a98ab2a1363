"""Who asks first (`Expect: 100-continue`) is told before the body is sent whether it is wanted."""

import json

import pytest

from tests.proxy.edge import BODY, CHAT, parsed, written
from tests.system import System
from tests.wire import WireClient

CONTENT = json.dumps(BODY).encode()
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def asking(head: bytes, length: int = len(CONTENT)) -> bytes:
    """The head of a request, without the body that it announces."""
    return head.removesuffix(b"\r\n") + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % length


async def test_a_body_is_asked_for_once_and_only_when_it_is_wanted(house: System) -> None:
    tenant = await house.tenant(unpriced_models="allow")
    client = await WireClient.connect(house.proxy_url)
    client.writer.write(asking(written(tenant, "POST", CHAT, more="connection: close\r\n")))
    assert await client.read_until(b"\r\n\r\n") == CONTINUE
    client.writer.write(CONTENT)
    answer = await client.read_all()
    assert parsed(answer)[0] == 200
    assert CONTINUE not in answer
    client.leave()
    [row] = await house.records(tenant, 1)
    assert row["status"] == 200


@pytest.mark.parametrize(
    ("method", "path", "key", "length", "status"),
    [
        ("POST", CHAT, "sk-tk-nobodys", len(CONTENT), 401),
        ("POST", "/v1/nothing", None, len(CONTENT), 404),
        ("PUT", CHAT, None, len(CONTENT), 405),
        ("POST", CHAT, None, 10**9, 413),
    ],
)
async def test_what_is_refused_by_its_head_is_never_asked_for(
    house: System, method: str, path: str, key: str | None, length: int, status: int
) -> None:
    tenant = await house.tenant(unpriced_models="allow")
    head = written(tenant, method, path)
    if key is not None:
        head = head.replace(tenant.key.encode(), key.encode())
    client = await WireClient.connect(house.proxy_url)
    client.writer.write(asking(head, length))
    answer = await client.read_all()
    client.leave()
    assert CONTINUE not in answer
    got, headers, body = parsed(answer)
    assert (got, headers["connection"]) == (status, "close")
    assert set(json.loads(body)) == {"error"}


async def test_nothing_behind_such_a_refusal_is_taken_for_a_request(house: System) -> None:
    tenant = await house.tenant(unpriced_models="allow")
    name = f"behind-{tenant.organization_id}"
    behind = written(tenant, "POST", CHAT, CONTENT, f"x-client-request-id: {name}\r\n")
    client = await WireClient.connect(house.proxy_url)
    client.writer.write(asking(written(tenant, "POST", "/v1/nothing")) + behind)
    answer = await client.read_all()
    client.leave()
    assert answer.count(b"HTTP/1.1 ") == 1
    assert (await house.books(client_request_id=name))["requests"] == []
