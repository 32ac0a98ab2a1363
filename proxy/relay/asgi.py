"""The client's side as ASGI has it: what stands in its head, and our errors out."""

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


def too_large(most: int) -> Refusal:
    return Refusal(
        413,
        f"The body of the request is larger than the {most} bytes that are accepted.",
        code="request_too_large",
        headers=((b"connection", b"close"),),
    )


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
