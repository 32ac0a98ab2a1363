"""The client's side of a WebSocket, over ASGI."""

from contextlib import suppress
from time import monotonic

from proxy.errors import Refusal
from proxy.relay.asgi import Headers, Receive, Scope, Send
from proxy.upstream.websocket import Closed

MOST_REASON: int = 123
"""Bytes of a closing reason, by RFC 6455."""


class ClientSocket:
    """Is asked for messages by one coroutine, and given messages by one other."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.sending_since: float | None = None
        """Since when the client takes none of what is being handed to it; monotonic seconds."""
        self._receive = receive
        self._send = send
        self._accepted = False

    @property
    def accepted(self) -> bool:
        return self._accepted

    async def greet(self) -> None:
        """Takes the wish to connect, which comes first."""
        await self._receive()

    async def left(self) -> None:
        """Returns when the client leaves before it was accepted. One that talks before it was answered breaks the
        protocol, and has left as well."""
        await self._receive()

    async def refuse(self, refusal: Refusal, headers: Headers) -> None:
        await self.answer(
            refusal.status,
            [(b"content-type", b"application/json"), *refusal.headers, *headers],
            refusal.body(),
        )

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """An answer over HTTP instead of a WebSocket."""
        await self._send(
            {"type": "websocket.http.response.start", "status": status, "headers": list(headers)}
        )
        await self._send({"type": "websocket.http.response.body", "body": body})

    async def accept(self, subprotocol: str | None, headers: Headers) -> None:
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": list(headers)})
        self._accepted = True

    async def receive(self) -> str | bytes:
        """The next message, as text or bytes, as it came. Raises Closed. While nothing is received, the client is read
        no further."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Closed(message.get("code") or 1005, message.get("reason") or "")
        text: str | None = message.get("text")
        if text is not None:
            return text
        data: bytes = message["bytes"]
        return data

    async def send(self, message: str | bytes) -> None:
        """Returns once the client keeps up. Raises Closed."""
        kind = "text" if isinstance(message, str) else "bytes"
        self.sending_since = monotonic()
        try:
            await self._send({"type": "websocket.send", kind: message})
        except OSError:
            raise Closed(1006) from None
        self.sending_since = None

    async def close(self, code: int, reason: str) -> None:
        with suppress(OSError, RuntimeError):  # it may be closed
            await self._send({"type": "websocket.close", "code": code, "reason": shortened(reason)})


def shortened(reason: str) -> str:
    """As much of it as fits into a closing frame."""
    return reason.encode()[:MOST_REASON].decode("utf-8", "ignore")
