"""The head of a request, as bytes."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from proxy.upstream.origin import Origin

Header: TypeAlias = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Streamed:
    """A body that comes piece by piece, once. `length` is in bytes, None where nobody knows it: it is sent chunked
    then. How long the next piece may take is bounded by whoever gives it."""

    pieces: AsyncIterator[bytes]
    length: int | None = None


Body: TypeAlias = bytes | Streamed | None

_BODY_EXPECTED = frozenset((b"POST", b"PUT", b"PATCH"))


def request_head(
    origin: Origin, method: bytes, target: bytes, headers: Sequence[Header], body: Body
) -> bytes:
    """Adds Host and the framing of the body, which `headers` must not hold; passes `headers` as they are.

    Raises ValueError for a CR, LF or NUL anywhere, and for a target or method with a space.
    """
    lines = [b"%b %b HTTP/1.1" % (method, target), b"host: " + origin.authority]
    lines += [b"%b: %b" % header for header in headers]
    if isinstance(body, bytes):
        lines.append(b"content-length: %d" % len(body))
    elif body is not None and body.length is not None:
        lines.append(b"content-length: %d" % body.length)
    elif body is not None:
        lines.append(b"transfer-encoding: chunked")
    elif method in _BODY_EXPECTED:
        lines.append(b"content-length: 0")
    head = b"\r\n".join(lines)
    breaks = len(lines) - 1
    if (
        lines[0].count(b" ") != 2
        or head.count(b"\r") != breaks
        or head.count(b"\n") != breaks
        or b"\0" in head
    ):
        raise ValueError("a request line or header holds a character that is not allowed there")
    return head + b"\r\n\r\n"
