"""Answers at the edges of HTTP: without bodies, with odd framing, encoded, interrupted, ahead of themselves."""

import gzip
import json
import re
from collections.abc import Iterator

import brotli
import httpx
import pytest

from proxy.endpoints.catalogue import CATALOGUE
from tests.proxy.edge import BODY, CHAT, exchanged, parsed, row_of, upstream, written
from tests.proxy.upstream.raw_server import Peer, saying_once
from tests.system import System, Tenant, system
from tests.wire import WireClient

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
ANSWER = json.dumps(
    {"id": "x", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}}
).encode()


@pytest.fixture(scope="module")
def edge(house: System) -> Iterator[System]:
    with system(house.database_url, house.redis_url) as made:
        made.start("proxy")
        yield made


@pytest.fixture
async def tenant(edge: System) -> Tenant:
    tenant = await edge.tenant(unpriced_models="allow")
    await edge.own(tenant, [f"resp_{tenant.organization_id}"])
    return tenant


def response_of(tenant: Tenant) -> str:
    return f"/v1/responses/resp_{tenant.organization_id}"


def sized(head: bytes, body: bytes) -> bytes:
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


async def test_head_is_asked_as_head_and_answered_without_a_body(edge: System, tenant: Tenant) -> None:
    head = OK + b"content-length: 1234\r\nx-extra: yes\r\n\r\n"
    async with upstream(edge, head) as server:
        client = await WireClient.connect(edge.proxy_url)
        for _ in range(3):
            client.writer.write(written(tenant, "HEAD", response_of(tenant)))
            status, headers, _ = parsed(await client.read_until(b"\r\n\r\n"))
            assert (status, headers["content-length"], headers["x-extra"]) == (200, "1234", "yes")
            assert "transfer-encoding" not in headers
        client.writer.write(written(tenant, "HEAD", response_of(tenant), more="connection: close\r\n"))
        assert parsed(await client.read_all())[2] == b""
        client.leave()
        line = f"HEAD {response_of(tenant)} HTTP/1.1\r\n".encode()
        assert all(head.startswith(line) for head in server.heads)
        assert len(server.heads) == 4
        assert server.accepted == 1
    for row in await edge.records(tenant, 4):
        assert (row["status"], row["outcome"], row["response_bytes"]) == (200, "completed", 0)
        assert row["endpoint"] == "/v1/responses/{response}"


async def test_a_body_behind_the_answer_to_head_goes_nowhere(edge: System, tenant: Tenant) -> None:
    answers = (sized(OK, b"never to be seen"), OK + b"content-length: 2\r\n\r\n{}")
    async with upstream(edge, *answers) as server:
        status, _, body = parsed(await exchanged(edge, tenant, "HEAD", response_of(tenant)))
        assert (status, body) == (200, b"")
        status, _, body = parsed(await exchanged(edge, tenant, "GET", response_of(tenant)))
        assert (status, body) == (200, sized(OK, b"never to be seen").partition(b"\r\n\r\n")[2])
        assert server.accepted == 2


async def test_the_head_of_a_list_is_that_of_the_callers_own_list(edge: System, tenant: Tenant) -> None:
    listed = json.dumps({"object": "list", "data": [{"id": "batch_of_another"}], "has_more": False}).encode()
    async with upstream(edge, sized(OK, listed)) as server:
        got = parsed(await exchanged(edge, tenant, "GET", "/v1/batches"))
        asked = parsed(await exchanged(edge, tenant, "HEAD", "/v1/batches"))
        assert [head.split(b" ")[0] for head in server.heads] == [b"GET", b"GET"]
    assert b"batch_of_another" not in got[2]
    assert (asked[0], asked[1]["content-length"], asked[2]) == (200, str(len(got[2])), b"")
    rows = await edge.records(tenant, 2)
    assert rows[1]["response_bytes"] == 0


async def test_head_is_not_allowed_where_get_is_not(edge: System, tenant: Tenant) -> None:
    status, headers, body = parsed(await exchanged(edge, tenant, "HEAD", "/v1/embeddings"))
    assert (status, headers["allow"], body) == (405, "POST", b"")
    status, headers, _ = parsed(await exchanged(edge, tenant, "PUT", response_of(tenant)))
    assert (status, headers["allow"]) == (405, "DELETE, GET, HEAD")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_pages_answer_head(edge: System, path: str) -> None:
    async with httpx.AsyncClient(base_url=edge.proxy_url) as client:
        got, asked = await client.get(path), await client.head(path)
        other = await client.post(path)
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["content-type"] == got.headers["content-type"]
    assert int(asked.headers["content-length"]) > 0
    assert (other.status_code, other.json()["error"]["code"]) == (405, "method_not_supported")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n",
    ],
)
async def test_what_has_no_body_ends_at_its_head(edge: System, tenant: Tenant, answer: bytes) -> None:
    async with upstream(edge, answer):
        status, headers, body = parsed(await exchanged(edge, tenant, "GET", response_of(tenant)))
    assert str(status).encode() in answer
    assert body == b""
    assert not {"content-length", "transfer-encoding"} & headers.keys()
    row = await row_of(edge, tenant)
    assert (row["status"], row["outcome"]) == (status, "completed")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 600 What\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 099 What\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        sized(OK + b"transfer-encoding: chunked\r\n", ANSWER),
        sized(OK + b"content-length: 3\r\n", ANSWER),
        OK + b"transfer-encoding: gzip\r\n\r\n" + gzip.compress(ANSWER),
        OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\ntransfer-encoding: gzip\r\n\r\n",
        OK + b"x-folded: a\r\n b\r\n\r\n",
        OK + b"x-bell: \x07\r\n\r\n",
        b"HTTP/1.1 200 OK\ncontent-length: 0\n\n",
        b"HTTP/2 200\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
async def test_what_is_no_answer_is_a_bad_gateway(edge: System, tenant: Tenant, answer: bytes) -> None:
    async with upstream(edge, behaviour=saying_once(answer)):
        got = await exchanged(edge, tenant, "POST", CHAT, json.dumps(BODY).encode())
    status, headers, body = parsed(got)
    assert (status, headers["content-type"]) == (502, "application/json")
    assert json.loads(body)["error"]["code"] == "upstream_unavailable"
    row = await row_of(edge, tenant)
    assert (row["status"], row["outcome"], row["price_nano"]) == (502, "upstream_error", 0)
    await edge.quiet()


async def test_trailers_and_interim_answers_stay_behind(edge: System, tenant: Tenant) -> None:
    chunked = b"%x\r\n%b\r\n0\r\nx-trailer: yes\r\nx-ratelimit-limit-requests: 1\r\n\r\n" % (
        len(ANSWER),
        ANSWER,
    )
    answer = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\nx-early: yes\r\n\r\n"
        + OK
        + b"trailer: x-trailer\r\ntransfer-encoding: chunked\r\n\r\n"
        + chunked
    )
    async with upstream(edge, answer) as server:
        for _ in range(2):
            got = await exchanged(edge, tenant, "POST", CHAT, json.dumps(BODY).encode())
            status, headers, body = parsed(got)
            assert got.count(b"HTTP/1.1 ") == 1
            assert status == 200
            assert body == b"%x\r\n%b\r\n0\r\n\r\n" % (len(ANSWER), ANSWER)
            assert (
                not {"trailer", "x-trailer", "x-early", "link", "x-ratelimit-limit-requests"} & headers.keys()
            )
        assert server.accepted == 1
    rows = await edge.records(tenant, 2)
    assert [(row["input_tokens"], row["output_tokens"]) for row in rows] == [(5, 7)] * 2


async def test_the_upstreams_limits_are_never_shown_as_ours(edge: System) -> None:
    tenant = await edge.tenant(unpriced_models="allow", limits={"requests_per_minute": 7})
    theirs = b"x-ratelimit-limit-requests: 1000000\r\nX-RateLimit-Remaining-Tokens: 5\r\nx-ratelimit-new-kind: 1\r\n"
    async with upstream(edge, sized(OK + theirs + b"x-tollkeeper-quota-remaining: 9\r\n", ANSWER)):
        got = await exchanged(edge, tenant, "POST", CHAT, json.dumps(BODY).encode())
    _, headers, _ = parsed(got)
    assert headers["x-ratelimit-limit-requests"] == "7"
    assert got.lower().count(b"\r\nx-ratelimit-limit-requests:") == 1
    assert not {"x-ratelimit-remaining-tokens", "x-ratelimit-new-kind"} & headers.keys()
    assert b"x-tollkeeper-quota-remaining: 9\r\n" not in got


def frame_of_zstd(content: bytes) -> bytes:
    """RFC 8878: one raw block, its content's size in the header."""
    assert 256 <= len(content) + 256 < 65536
    header = b"\x28\xb5\x2f\xfd\x60" + (len(content) - 256).to_bytes(2, "little")
    return header + (len(content) << 3 | 1).to_bytes(3, "little") + content


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "something"])
@pytest.mark.parametrize("cut", [1, 50])
async def test_what_comes_encoded_passes_untouched(
    edge: System, tenant: Tenant, encoding: str, cut: int
) -> None:
    plain = ANSWER + b" " * 300
    encoders = {
        "gzip": gzip.compress,
        "br": brotli.compress,
        "zstd": frame_of_zstd,
        "something": lambda data: data[::-1],
    }
    encoded = encoders[encoding](plain)
    chunks = [encoded[at : at + cut] for at in range(0, len(encoded), cut)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    head = (
        OK
        + b"content-encoding: %b\r\nvary: accept-encoding\r\ntransfer-encoding: chunked\r\n\r\n"
        % encoding.encode()
    )
    async with upstream(edge, head + framed) as server:
        client = await WireClient.connect(edge.proxy_url)
        more = "accept-encoding: gzip, br, zstd\r\nconnection: close\r\n"
        client.writer.write(written(tenant, "POST", CHAT, json.dumps(BODY).encode(), more))
        status, headers, body = parsed(await client.read_all())
        client.leave()
        assert b"accept-encoding: identity\r\n" in server.heads[0]
    assert (status, headers["content-encoding"], headers["vary"]) == (200, encoding, "accept-encoding")
    assert unframed(body) == encoded
    row = await row_of(edge, tenant)
    found = (row["usage_source"], row["input_tokens"], row["output_tokens"])
    read = encoding in ("gzip", "br")
    assert found == ("provider", 5, 7) if read else row["usage_source"] == "hold"


def unframed(chunked: bytes) -> bytes:
    body = b""
    while True:
        size, _, chunked = chunked.partition(b"\r\n")
        if not int(size, 16):
            return body
        body, chunked = body + chunked[: int(size, 16)], chunked[int(size, 16) + 2 :]


async def test_a_path_goes_upstream_written_in_one_way(edge: System, tenant: Tenant) -> None:
    path = response_of(tenant)
    async with upstream(edge, sized(OK, b"{}")) as server:
        disguised = path.replace("/v1/resp", "/v1/%72esp").replace("/resp_", "/%72esp%5f")
        assert parsed(await exchanged(edge, tenant, "GET", disguised + "?a=%62"))[0] == 200
        assert [head.split(b" ")[1] for head in server.heads] == [f"{path}?a=%62".encode()]


async def test_head_is_answered_wherever_get_is(edge: System, tenant: Tenant) -> None:
    kinds = {kind for endpoint in CATALOGUE for kind in re.findall(r"\{(\w+)\}", endpoint.template)}
    names = {kind: f"{kind}_{tenant.organization_id}" for kind in kinds}
    await edge.own(tenant, list(names.values()))
    paths = [endpoint.template.format_map(names) for endpoint in CATALOGUE if endpoint.method == "GET"]
    async with upstream(edge, behaviour=bodiless) as server:
        for path in paths:
            status, _, body = parsed(await exchanged(edge, tenant, "HEAD", path))
            assert (status, body) == (200, b""), path
        assert len(server.heads) == len(paths)
    rows = await edge.records(tenant, len(paths))
    assert {(row["outcome"], row["price_nano"], row["response_bytes"]) for row in rows} == {
        ("completed", 0, 0)
    }
    await edge.quiet()


async def bodiless(peer: Peer) -> None:
    """Answers HEAD by a head alone, and GET, as lists are asked for, by an empty list."""
    while True:
        head, _ = await peer.request()
        listed = b'{"object":"list","data":[],"has_more":false}'
        is_head = head.startswith(b"HEAD ")
        await peer.say(OK + b"content-length: 1234\r\n\r\n" if is_head else sized(OK, listed))
