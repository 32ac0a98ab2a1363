from collections.abc import AsyncIterator

import pytest

from proxy.upstream.origin import Origin
from proxy.upstream.request import Body, Streamed, request_head

ORIGIN = Origin.parse("https://api.example.com/v1")


async def pieces() -> AsyncIterator[bytes]:
    yield b"piece"


@pytest.mark.parametrize(
    ("method", "body", "framing"),
    [
        (b"POST", b"12345", b"content-length: 5\r\n"),
        (b"POST", b"", b"content-length: 0\r\n"),
        (b"POST", None, b"content-length: 0\r\n"),
        (b"POST", Streamed(pieces()), b"transfer-encoding: chunked\r\n"),
        (b"GET", None, b""),
        (b"DELETE", None, b""),
    ],
)
def test_the_head_names_the_host_and_frames_the_body(method: bytes, body: Body, framing: bytes) -> None:
    head = request_head(ORIGIN, method, b"/v1/x?a=b", [(b"X-Case", b"Kept")], body)
    assert (
        head
        == method + b" /v1/x?a=b HTTP/1.1\r\nhost: api.example.com\r\nX-Case: Kept\r\n" + framing + b"\r\n"
    )


@pytest.mark.parametrize("bad", [b"a\rb", b"a\nb", b"a\r\nb: c", b"a\0b", b"a\r\n\r\nGET / HTTP/1.1"])
def test_nothing_can_be_smuggled_into_the_head(bad: bytes) -> None:
    for method, target, headers in (
        (b"GET", b"/" + bad, []),
        (b"GET", b"/", [(b"name", bad)]),
        (b"GET", b"/", [(bad, b"value")]),
        (bad, b"/", []),
    ):
        with pytest.raises(ValueError):
            request_head(ORIGIN, method, target, headers, None)


@pytest.mark.parametrize("target", [b"/a b", b"/ HTTP/1.1", b" /"])
def test_a_target_with_a_space_is_refused(target: bytes) -> None:
    with pytest.raises(ValueError):
        request_head(ORIGIN, b"GET", target, [], None)
