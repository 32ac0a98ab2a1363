"""The body of a request, taken whole, within bounds of size and time."""

import asyncio
from typing import Final

from proxy.errors import Refusal
from proxy.relay.asgi import (
    BODY_SECONDS,
    ClientGone,
    Headers,
    Message,
    Receive,
    Scope,
    asks_first,
    declared,
    too_large,
)
from proxy.relay.client import client_of

_DROP_BYTES: Final = 512 * 1024 * 1024
_DROP_SECONDS: Final = 30.0


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The whole body. Raises Refusal: 413 for more than `most` bytes, 408 when it doesn't come; ClientGone."""
    body = client_of(scope).whole_body()
    if body is not None and len(body) <= most:
        return body
    if body is not None:
        raise too_large(most)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            await check_length(receive, scope["headers"], most)
            return await _gathered(receive, most)
    except TimeoutError:
        raise Refusal(
            408, "The body of the request did not arrive in time.", code="request_timeout"
        ) from None


async def _gathered(receive: Receive, most: int) -> bytes:
    pieces: list[bytes] = []
    size, more = 0, True
    while more and size <= most:
        message = await _message(receive)
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        more = bool(message.get("more_body"))
    if size > most:
        if more:
            await _drop(receive)
        raise too_large(most)
    return b"".join(pieces)


async def check_length(receive: Receive, headers: Headers, most: int) -> None:
    """Raises Refusal 413 for a body that is announced to be larger than `most` bytes.

    Most clients read no answer before they have sent all, so what they send is taken and dropped, within a bound; one
    that asks first (`Expect: 100-continue`) is answered at once."""
    if (declared(headers) or 0) > most:
        if not asks_first(headers):
            await _drop(receive)
        raise too_large(most)


async def _message(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


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
