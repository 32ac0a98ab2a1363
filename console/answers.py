"""Sending an answer that is complete."""

from collections.abc import Sequence

from starlette.types import Send

_ALWAYS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]


async def send_answer(
    send: Send,
    status: int,
    body: bytes,
    headers: Sequence[tuple[bytes, bytes]] = (),
    content_type: bytes = b"application/json",
) -> None:
    length = str(len(body)).encode()
    fixed = [(b"content-type", content_type), (b"content-length", length), *_ALWAYS]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": body})
