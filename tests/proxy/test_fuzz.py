"""Nonsense from both sides: clients and upstreams whose bytes are changed, cut and ambiguous. What comes of it is a
clean error or a clean end; nothing is held afterwards, and nothing unseen reaches the upstream."""

import asyncio
import json
import re
from collections.abc import Coroutine, Iterable, Iterator
from typing import Any, TypeVar

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.proxy.edge import BODY, CHAT, upstream, written
from tests.proxy.mutation import mutated, pieces
from tests.proxy.upstream.raw_server import Peer
from tests.system import System, Tenant, system
from tests.wire import WireClient

T = TypeVar("T")
AT_ONCE = 24
CONTENT = json.dumps(BODY | {"max_tokens": 5}).encode()
CUTS = st.lists(st.integers(0, 5000), max_size=4)


def drawn(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """Examples, to be tried all at once."""
    found: list[T] = []

    @settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=(Phase.generate,),
    )
    @given(strategy)
    def collect(example: T) -> None:
        found.append(example)

    collect()
    return found


async def all_of(attempts: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """A few at a time."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(attempt: Coroutine[Any, Any, T]) -> T:
        async with slots:
            return await attempt

    return await asyncio.gather(*(one(attempt) for attempt in attempts))


async def said(url: str, parts: list[bytes], *, stay: bool = False) -> bytes:
    """What a server says to a client that sends these pieces and then no more; reset connections count as ended."""
    client = await WireClient.connect(url)
    answer = b""
    try:
        for part in parts:
            client.writer.write(part)
            await client.writer.drain()
            await asyncio.sleep(0)
        if not stay:
            client.writer.write_eof()
        async with asyncio.timeout(10):
            while data := await client.reader.read(65536):
                answer += data
    except OSError:
        pass
    finally:
        client.leave()
    return answer


STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


def statuses(answer: bytes) -> list[int]:
    """Of all answers that are there; they begin where a server would begin one."""
    assert not answer or answer.startswith(b"HTTP/1.1 "), answer[:200]
    return [int(found) for found in STATUS.findall(answer)]


async def is_well(plane: System, tenant: Tenant) -> None:
    """The process answers, no hold of these calls is left, and a good call passes."""
    await plane.quiet()
    async with httpx.AsyncClient(base_url=plane.proxy_url) as client:
        assert (await client.get("/readyz")).status_code == 200


def chunked(content: bytes, size: int) -> bytes:
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def requests_of(tenant: Tenant, close: str = "connection: close\r\n") -> list[bytes]:
    return [
        written(tenant, "POST", CHAT, CONTENT, close),
        written(tenant, "POST", CHAT, None, f"transfer-encoding: chunked\r\n{close}") + chunked(CONTENT, 40),
        written(tenant, "GET", "/v1/models", None, close),
    ]


async def test_requests_gone_wrong_are_refused_or_answered(house: System) -> None:
    tenant = await house.tenant(unpriced_models="allow")
    wrong = st.sampled_from(requests_of(tenant)).flatmap(mutated)
    tries = drawn(st.tuples(wrong, CUTS), 400)
    answers = await all_of(said(house.proxy_url, pieces(data, cuts)) for data, cuts in tries)
    for (data, _), answer in zip(tries, answers, strict=True):
        assert not {500, 502, 503, 504} & set(statuses(answer)), (data, answer)
    await is_well(house, tenant)
    rows = await house.fetch("select outcome from usage where organization_id = $1", tenant.organization_id)
    assert {row["outcome"] for row in rows} <= {"completed", "client_gone"}
    assert len(rows) <= sum(statuses(answer).count(200) for answer in answers) + sum(
        not answer for answer in answers
    )


async def test_a_chunked_body_may_be_cut_anywhere_and_must_be_whole(house: System) -> None:
    tenant = await house.tenant(unpriced_models="allow")
    whole = requests_of(tenant)[1]
    start = whole.index(b"\r\n\r\n") + 4
    places = range(start, len(whole), 5)
    split = await all_of(said(house.proxy_url, [whole[:at], whole[at:]], stay=True) for at in places)
    assert {tuple(statuses(answer)) for answer in split} == {(200,)}
    broken = await all_of(said(house.proxy_url, [whole[:at]]) for at in places)
    assert {tuple(statuses(answer)) for answer in broken} <= {(), (400,)}
    await is_well(house, tenant)
    assert len(await house.records(tenant, len(places))) == len(places)


AMBIGUOUS = (
    ("Content-Length: {n}", "Transfer-Encoding: chunked"),
    ("Content-Length: {n}", "Content-Length: 0"),
    ("Content-Length: {n}", "Content-Length: {n}"),
    ("Content-Length: {n}, 0",),
    ("Content-Length: {n}\r\n ",),
    ("Content-Length : {n}",),
    ("Content-Length: +{n}",),
    ("Content-Length: 0x{n}",),
    ("Content-Length: {n}\0",),
    ("Content-Length: \v{n}",),
    ("Content-Length:\n {n}",),
    ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    ("Transfer-Encoding: chunked, identity",),
    ("Transfer-Encoding: xchunked",),
    ("Transfer-Encoding: chunked;q=1",),
    ("Transfer-Encoding: 'chunked'",),
    ("Transfer-Encoding : chunked",),
    ("Transfer-Encoding:\r\n chunked",),
    ("Transfer-Encoding: \x0bchunked",),
    ("X: y\nTransfer-Encoding: chunked",),
    ("X: y\rContent-Length: {n}",),
    ("Connection: upgrade", "Upgrade: h2c", "Content-Length: {n}"),
    ("Connection: upgrade, http2-settings", "Upgrade: h2c", "Transfer-Encoding: chunked"),
)


@st.composite
def ambiguous(draw: st.DrawFn) -> tuple[list[str], bytes]:
    """Header lines that leave the end of the body open, in any order among others, and how the body begins."""
    lines = list(draw(st.sampled_from(AMBIGUOUS)))
    for extra in draw(
        st.lists(st.sampled_from(["accept: */*", "x-a: b", "user-agent: c", "cookie: d=e"]), max_size=3)
    ):
        lines.insert(draw(st.integers(0, len(lines))), extra)
    change = draw(st.sampled_from((str.title, str.lower, str.upper, str.swapcase)))
    begin = draw(st.sampled_from([b"", b"0\r\n\r\n", b"2\r\n{}\r\n0\r\n\r\n", b"{}", CONTENT]))
    return [change(line).replace("{N}", "{n}") for line in lines], begin


async def test_a_request_hidden_in_another_never_reaches_the_upstream(house: System) -> None:
    tenant = await house.tenant(unpriced_models="allow")
    mark = f"hidden-{tenant.organization_id}"
    hidden = written(tenant, "POST", CHAT, CONTENT, f"x-client-request-id: {mark}\r\n")

    def smuggling(lines: list[str], begin: bytes) -> bytes:
        length = len(begin)
        more = "".join(line.replace("{n}", str(length)) + "\r\n" for line in lines)
        return written(tenant, "POST", CHAT, None, more) + begin + hidden

    tries = drawn(st.tuples(ambiguous(), CUTS), 300)
    answers = await all_of(
        said(house.proxy_url, pieces(smuggling(lines, begin), cuts)) for (lines, begin), cuts in tries
    )
    for (example, _), answer in zip(tries, answers, strict=True):
        assert statuses(answer) in ([], [400]), (example, answer)
    assert (await house.books(client_request_id=mark))["requests"] == []
    await is_well(house, tenant)
    assert not await house.fetch("select 1 from usage where organization_id = $1", tenant.organization_id)


def handshake(tenant: Tenant) -> bytes:
    more = (
        "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )
    return written(tenant, "GET", "/v1/realtime?model=gpt-realtime", None, more)


NO_FRAMES = (
    b"\x81\xff" + b"\xff" * 8,
    b"\x88\x80",
    b"\xff\xff\xff\xff",
    b"\x81\x7f" + b"\x7f" * 8,
    b"\x01\x00",
    b"GET / HTTP/1.1\r\n\r\n",
)


async def test_a_websocket_that_is_none_is_closed(house: System) -> None:
    tenant = await house.tenant(unpriced_models="allow")
    good = handshake(tenant)
    frames = st.binary(max_size=60) | st.sampled_from(NO_FRAMES)
    tries = drawn(st.tuples(mutated(good) | st.just(good), frames, CUTS), 120)
    answers = await all_of(said(house.proxy_url, [*pieces(head, cuts), frame]) for head, frame, cuts in tries)
    for example, answer in zip(tries, answers, strict=True):
        assert not {500, 502, 503, 504} & set(statuses(answer)), (example, answer)
    await is_well(house, tenant)


# The upstream's side.

USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
PLAIN = json.dumps(
    {"id": "chatcmpl-1", "choices": [{"message": {"content": "Hi you"}}], "usage": USAGE}
).encode()
EVENTS = b"".join(
    b"data: %b\n\n" % json.dumps(event).encode()
    for event in (
        {
            "id": "c",
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": {"content": "Hi "}}],
        },
        {
            "id": "c",
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": {"content": "you"}}],
        },
        {"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": USAGE},
    )
)
STREAM = b": a comment\n\nevent: x\r\ndata: {}\r\n\r\n" + EVENTS + b"data: [DONE]\n\n"
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
ANSWERS = (
    JSON_HEAD + b"content-length: %d\r\n\r\n" % len(PLAIN) + PLAIN,
    JSON_HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunked(PLAIN, 20),
    SSE_HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunked(STREAM, 25),
    b"HTTP/1.1 100 Continue\r\n\r\n" + SSE_HEAD + b"content-length: %d\r\n\r\n" % len(STREAM) + STREAM,
)


@pytest.fixture(scope="module")
def edge(house: System) -> Iterator[System]:
    with system(house.database_url, house.redis_url) as made:
        made.start("proxy")
        yield made


async def answered(
    edge: System, tenant: Tenant, tries: list[tuple[bytes, list[int]]], *, asks_usage: bool = True
) -> list[tuple[bytes, bytes]]:
    """What clients get, with and without a stream in turn, of an upstream that says the nth of these and hangs up: the
    answer on the wire, and its body as far as it came."""

    async def behave(peer: Peer) -> None:
        head, _ = await peer.request()
        found = re.search(rb"x-client-request-id: (\d+)\r\n", head)
        assert found is not None
        data, cuts = tries[int(found[1])]
        for piece in pieces(data, cuts):
            await peer.say(piece)
            await asyncio.sleep(0)

    async def ask(number: int) -> tuple[bytes, bytes]:
        asked: dict[str, Any] = dict(BODY)
        if number % 2 or not asks_usage:
            asked |= {"stream": True, "stream_options": {"include_usage": asks_usage}}
        more = f"x-client-request-id: {number}\r\nconnection: close\r\n"
        request = written(tenant, "POST", CHAT, json.dumps(asked).encode(), more)
        answer = await said(edge.proxy_url, [request], stay=True)
        return answer, body_of(answer)

    async with upstream(edge, behaviour=behave):
        return await all_of(ask(number) for number in range(len(tries)))


def body_of(answer: bytes) -> bytes:
    """Without its framing, whole or not."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head:
        return rest
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size or b"0", 16)], rest[int(size or b"0", 16) + 2 :]
    return body


async def settled(edge: System, tenant: Tenant, count: int) -> list[dict[str, Any]]:
    await edge.quiet()
    return await edge.records(tenant, count)


@pytest.mark.parametrize("whole", ANSWERS, ids=["json", "json in chunks", "stream in chunks", "stream"])
async def test_an_answer_cut_anywhere_is_passed_as_far_as_it_came_and_paid_once(
    edge: System, whole: bytes
) -> None:
    tenant = await edge.tenant(unpriced_models="allow")
    content = STREAM if b"event-stream" in whole else PLAIN
    places = [*range(1, len(whole), 9), len(whole)]
    answers = await answered(edge, tenant, [(whole[:at], []) for at in places])
    for at, (answer, body) in zip(places, answers, strict=True):
        [status] = statuses(answer)
        assert status in (200, 502), (at, answer)
        assert status == 502 or content.startswith(body), (at, body)
    assert answers[-1][1] == content
    rows = await settled(edge, tenant, len(places))
    assert {row["outcome"] for row in rows} <= {"completed", "upstream_cut", "upstream_error"}
    assert sum(row["outcome"] == "completed" for row in rows) <= 2
    told = rows if content is STREAM else [row for row in rows if row["outcome"] == "completed"]
    assert all(row["output_tokens"] <= 3 for row in told)
    assert all(row["price_nano"] == 0 for row in rows if row["outcome"] == "upstream_error")


async def test_answers_gone_wrong_are_passed_or_refused_and_paid_once(edge: System) -> None:
    tenant = await edge.tenant(unpriced_models="allow")
    tries = drawn(st.tuples(st.sampled_from(ANSWERS).flatmap(mutated), CUTS), 400)
    answers = await answered(edge, tenant, tries)
    for (data, _), (answer, _) in zip(tries, answers, strict=True):
        found = statuses(answer)
        assert found, (data, answer)
        assert 500 != found[0] < 600, (data, answer)
    rows = await settled(edge, tenant, len(tries))
    assert {row["outcome"] for row in rows} <= {"completed", "upstream_cut", "upstream_error"}


NOISE = (
    b": comment\n\n", b":\n", b"\n", b"\r\n", b"id: 7\n", b"retry: 10\n\n", b"event: error\ndata: {\"error\":{}}\n\n",
    b"data: not JSON\n\n", b"data:\ndata:\n\n", b"data: {\r\ndata: }\r\n\r\n", b"garbage\n\n",
    b"\xff\xfe\n\n", b"\xef\xbb\xbf",
    b'data: {"usage":null,"choices":[]}\n\n',
)  # fmt: skip


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, bytes, list[int]]:
    """A stream with noise between its events, the same without the usage that was not asked for, and cuts."""
    sent = passed = b""
    for event in EVENTS.split(b"\n\n")[:-1]:
        noise = b"".join(draw(st.lists(st.sampled_from(NOISE[:-1]), max_size=3)))
        noise += b"" if not noise or noise.endswith((b"\n\n", b"\r\n\r\n")) else b"\n\n"
        sent += noise + event + b"\n\n"
        passed += noise + (b"" if b'"usage"' in event else event + b"\n\n")
    return sent + b"data: [DONE]\n\n", passed + b"data: [DONE]\n\n", draw(CUTS)


def blocks(stream: bytes) -> list[bytes]:
    """What stands between blank lines, however many they are."""
    return [block for block in re.split(rb"(?:\r?\n){2,}", stream.strip(b"\r\n")) if block]


async def test_of_any_stream_all_passes_but_the_usage_that_was_not_asked_for(edge: System) -> None:
    tenant = await edge.tenant(unpriced_models="allow")
    tries = drawn(streams(), 200)
    heads = [SSE_HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunked(sent, 33) for sent, _, _ in tries]
    framed = [(head, cuts) for head, (_, _, cuts) in zip(heads, tries, strict=True)]
    answers = await answered(edge, tenant, framed, asks_usage=False)
    for (sent, passed, _), (_, body) in zip(tries, answers, strict=True):
        assert blocks(body) == blocks(passed), sent
    for row in await settled(edge, tenant, len(tries)):
        assert (row["outcome"], row["usage_source"]) == ("completed", "provider")
        assert (row["input_tokens"], row["output_tokens"]) == (9, 3)
