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
_DROP_BYTES: Final = 512 * 1024 * 1024
_DROP_SECONDS: Final = 30.0


class ClientGone(Exception):
    """The client closed its connection before its request was complete."""


async def read_body(receive: Receive, headers: Headers, most: int) -> bytes:
    """The whole body. Raises Refusal: 413 for more than `most` bytes, 408 when it doesn't come; ClientGone."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            await check_length(receive, headers, most)
            message = await _message(receive)
            body: bytes = message.get("body", b"")
            if not message.get("more_body") and len(body) <= most:
                return body
            pieces, size = [body], len(body)
            while message.get("more_body") and size <= most:
                message = await _message(receive)
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
            if size > most:
                await _drop(receive)
                raise too_large(most)
            return b"".join(pieces)
    except TimeoutError:
        raise Refusal(
            408, "The body of the request did not arrive in time.", code="request_timeout"
        ) from None


async def check_length(receive: Receive, headers: Headers, most: int) -> None:
    """Raises Refusal 413 for a body that is announced to be larger than `most` bytes.

    Most clients read no answer before they have sent all, so what they send is taken and dropped, within a bound; one
    that asks first (`Expect: 100-continue`) is answered at once."""
    if (declared(headers) or 0) > most:
        if not asks_first(headers):
            await _drop(receive)
        raise too_large(most)


def declared(headers: Headers) -> int | None:
    """The Content-Length."""
    return next((int(value) for name, value in headers if name == b"content-length"), None)


def asks_first(headers: Headers) -> bool:
    """Whether the client waits with its body until it is asked for it."""
    return any(name == b"expect" for name, _ in headers)


async def until_gone(receive: Receive) -> None:
    """Returns when the client has left. To be asked once its body is read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _message(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


def too_large(most: int) -> Refusal:
    return Refusal(
        413,
        f"The body of the request is larger than the {most} bytes that are accepted.",
        code="request_too_large",
        headers=((b"connection", b"close"),),
    )


async def _drop(receive: Receive) -> None:
    dropped = 0
    try:
        async with asyncio.timeout(_DROP_SECONDS):
            while dropped < _DROP_BYTES:
                message = await _message(receive)
                if not message.get("more_body"):
                    return
                dropped += len(message.get("body", b""))
    except TimeoutError:
        return


def closing(headers: Headers) -> Headers:
    """What an answer must say that may come before the body was asked for: a client that waits for that never sends it,
    and the next request on its connection would be taken for it."""
    return [(b"connection", b"close")] if asks_first(headers) else []


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
