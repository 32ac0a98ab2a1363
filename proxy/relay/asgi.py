"""The client's side: its body in, our errors out."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

from proxy.errors import Refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

BODY_SECONDS: Final = 120.0
"""How long a client may take to send its body."""


class ClientGone(Exception):
    """The client closed its connection before its request was complete."""


async def read_body(receive: Receive, headers: Headers, most: int) -> bytes:
    """The whole body. Raises Refusal: 413 for more than `most` bytes, 408 when it doesn't come; ClientGone."""
    declared = next((value for name, value in headers if name == b"content-length"), None)
    if declared is not None and int(declared) > most:
        raise _too_large(most)
    message = await _first(receive)
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > most:
            raise _too_large(most)
        return body
    pieces, size = [body], len(body)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while message.get("more_body"):
                message = await _message(receive)
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                if size > most:
                    raise _too_large(most)
    except TimeoutError:
        raise _too_slow() from None
    return b"".join(pieces)


async def _first(receive: Receive) -> Message:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _message(receive)
    except TimeoutError:
        raise _too_slow() from None


async def _message(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


def _too_large(most: int) -> Refusal:
    # The rest of the body is not read, so the connection can't be used again.
    return Refusal(
        413,
        f"The body of the request is larger than the {most} bytes that are accepted.",
        code="request_too_large",
        headers=((b"connection", b"close"),),
    )


def _too_slow() -> Refusal:
    return Refusal(408, "The body of the request did not arrive in time.", code="request_timeout")


async def send_error(send: Send, refusal: Refusal, headers: Headers) -> None:
    """A whole answer with an error of ours."""
    body = refusal.body()
    await send(
        {
            "type": "http.response.start",
            "status": refusal.status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                *refusal.headers,
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
