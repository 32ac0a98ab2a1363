"""The same bytes give the same events, wherever the network cuts them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.upstream.exchange import Exchange
from proxy.upstream.response import ResponseReader, Unacceptable
from tests.proxy.mutation import mutated
from tests.proxy.upstream.recorder import Recorder

token = st.text("abcXYZ019-", min_size=1, max_size=12).map(str.encode)
value = st.text("abc XYZ,;=019", max_size=20).map(lambda text: text.strip().encode())
headers = st.lists(st.tuples(token.map(lambda name: b"x-" + name), value), max_size=5)
payload = st.binary(max_size=300)


def written(pairs: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % pair for pair in pairs)


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, int, list[tuple[bytes, bytes]], bytes]:
    """The bytes of a response, and what they mean."""
    pairs = draw(headers)
    body = draw(payload)
    interim = b"".join(
        b"HTTP/1.1 103 Early Hints\r\n%b\r\n" % written(draw(headers)) for _ in range(draw(st.integers(0, 2)))
    )
    status = draw(st.sampled_from([200, 201, 400, 404, 429, 500, 503]))
    if draw(st.booleans()):
        pairs.append((b"Content-Length", b"%d" % len(body)))
        framed = body
    else:
        pairs.append((b"Transfer-Encoding", b"chunked"))
        cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=4)))
        pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True) if b > a]
        framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        framed += b"0\r\n" + written(draw(headers)) + b"\r\n"
    return (
        interim + b"HTTP/1.1 %d Some Reason\r\n%b\r\n%b" % (status, written(pairs), framed),
        status,
        [(name.lower(), value) for name, value in pairs],
        body,
    )


def cut(data: bytes, places: list[int]) -> list[bytes]:
    places = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


def read(pieces: list[bytes]) -> tuple[Recorder, ResponseReader]:
    sink, reader = Recorder(), ResponseReader()
    reader.expect(Exchange(b"", None, sink, is_head=False))
    for piece in pieces:
        reader.feed(piece)
    return sink, reader


cuts = st.lists(st.integers(0, 10_000), max_size=30)


@given(responses(), cuts)
def test_a_response_cut_anywhere_reads_the_same(
    response: tuple[bytes, int, list[tuple[bytes, bytes]], bytes], places: list[int]
) -> None:
    data, status, pairs, body = response
    sink, reader = read(cut(data, places))
    assert (sink.status, sink.reason, sink.headers, sink.body) == (status, b"Some Reason", pairs, body)
    assert sink.events == (["response", "body"] if body else ["response"])
    assert reader.complete
    assert reader.reusable
    assert not reader.ends_with_connection


@given(responses(), responses(), cuts)
def test_one_reader_reads_one_response_after_the_other(
    first: tuple[bytes, int, list[tuple[bytes, bytes]], bytes],
    second: tuple[bytes, int, list[tuple[bytes, bytes]], bytes],
    places: list[int],
) -> None:
    reader = ResponseReader()
    for data, status, pairs, body in (first, second):
        sink = Recorder()
        reader.expect(Exchange(b"", None, sink, is_head=False))
        for piece in cut(data, places):
            assert not reader.complete
            reader.feed(piece)
        assert reader.complete
        assert reader.reusable
        assert (sink.status, sink.headers, sink.body) == (status, pairs, body)


@given(responses(), st.binary(min_size=1, max_size=50).filter(lambda extra: extra.strip(b"\r\n") != b""))
def test_bytes_after_the_end_spoil_the_connection_and_not_the_answer(
    response: tuple[bytes, int, list[tuple[bytes, bytes]], bytes], extra: bytes
) -> None:
    data, _, _, body = response
    sink, reader = read([data + extra])
    assert reader.complete
    assert not reader.reusable
    assert sink.body == body
    assert sink.events.count("response") == 1


@given(st.binary(max_size=200), cuts)
def test_garbage_is_refused_or_waits_for_more(data: bytes, places: list[int]) -> None:
    try:
        sink, _ = read(cut(data, places))
    except Unacceptable:
        return
    assert sink.events in ([], ["response"], ["response", "body"])


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("head", "behind", "reusable"),
    [
        (OK + b"content-length: 5\r\n\r\n", b"", True),
        (OK + b"transfer-encoding: chunked\r\n\r\n", b"", True),
        (b"HTTP/1.1 204 None\r\n\r\n", b"", True),
        (OK + b"content-length: 5\r\n\r\n", b"h", False),
        (OK + b"content-length: 5\r\n\r\n", b"\r\n\r\n", False),
        (OK + b"transfer-encoding: chunked\r\n\r\n", b"5", False),
        (OK + b"transfer-encoding: chunked\r\n\r\n", b"0\r\n\r\n", False),
        (OK + b"transfer-encoding: chunked\r\n\r\n", b"\r\n\r\n", False),
        (OK + b"content-length: 0\r\n\r\n", OK + b"content-length: 0\r\n\r\n", False),
        (OK + b"\r\n", b"", False),
        (OK + b"connection: close\r\ncontent-length: 5\r\n\r\n", b"", False),
    ],
)
def test_the_answer_to_head_ends_with_its_head(head: bytes, behind: bytes, reusable: bool) -> None:
    sink, reader = Recorder(), ResponseReader()
    reader.expect(Exchange(b"", None, sink, is_head=True))
    reader.feed(head + behind)
    assert (reader.complete, reader.reusable) == (True, reusable)
    assert sink.events == ["response"]
    if reusable:
        following = Recorder()
        reader.expect(Exchange(b"", None, following, is_head=False))
        reader.feed(OK + b"content-length: 2\r\n\r\nhi")
        assert (following.body, reader.complete, reader.reusable) == (b"hi", True, True)


@given(responses().flatmap(lambda response: mutated(response[0])), cuts)
def test_a_response_gone_wrong_is_refused_or_one_that_can_be_passed_on(
    data: bytes, places: list[int]
) -> None:
    try:
        sink, reader = read(cut(data, places))
    except Unacceptable:
        return
    assert sink.events in ([], ["response"], ["response", "body"])
    assert reader.in_head == (sink.events == [])
    if sink.events:
        assert 200 <= sink.status < 600
        assert not any(set(name + value) & set(b"\r\n\0") for name, value in sink.headers)
        codings = [value.lower() for name, value in sink.headers if name.lower() == b"transfer-encoding"]
        assert codings in ([], [b"chunked"])
