"""A body that passes from the client to the upstream as it comes, and is not kept."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog

from proxy.errors import DEFECT, Refusal
from proxy.relay.asgi import BODY_SECONDS, ClientGone, Headers, Receive, declared, too_large, until_gone

_log = structlog.get_logger(__name__)


class Inflow:
    """The one owner of a call's `receive`: gives the pieces of the body to whoever asks for the next one, afterwards it
    watches for the client's leaving. So the client sends no faster than the upstream takes.

    `gone` is done once the client has left. `refusal` is set where the body was given up for what it is.
    """

    def __init__(
        self,
        receive: Receive,
        headers: Headers,
        most: int,
        look: Callable[[bytes, bool], Awaitable[None]],
        patience: float = BODY_SECONDS,
    ) -> None:
        """At most `most` bytes, of which the next come within `patience` seconds. `look` sees each piece, and whether
        it is the last, before it passes, and raises Refusal for what may not."""
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.refusal: Refusal | None = None
        self.passed = 0
        """Bytes that went on."""
        self.length = declared(headers)
        self._receive = receive
        self._most = most
        self._too_large = too_large(most)
        self._look = look
        self._patience = patience
        self._asked = False
        self._more = True
        self._watch: asyncio.Future[None] | None = None
        self.gone.add_done_callback(self._end_watch)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """Raises ClientGone, or the `refusal`."""
        if not self._more:
            raise StopAsyncIteration
        try:
            return await self._piece()
        except Refusal as refusal:
            self.refusal = refusal
            raise
        except ClientGone:
            raise
        except Exception:
            _log.exception("a body that passes could not be looked at")
            self.refusal = DEFECT
            raise

    async def _piece(self) -> bytes:
        try:
            self._asked = True
            async with asyncio.timeout(self._patience):
                message = await self._receive()
        except TimeoutError:
            raise Refusal(
                408, "The body of the request did not arrive in time.", code="request_timeout"
            ) from None
        if message["type"] == "http.disconnect":
            self._leave()
            raise ClientGone
        piece: bytes = message.get("body", b"")
        self._more = bool(message.get("more_body"))
        if self.passed + len(piece) > self._most:
            raise self._too_large
        await self._look(piece, not self._more)
        self.passed += len(piece)
        if not self._more:
            self.rest()
        return piece

    def bound(self, most: int, refusal: Refusal) -> None:
        """No more than `most` bytes may pass; more of them are given up by `refusal`."""
        if most < self._most:
            self._most, self._too_large = most, refusal

    def rest(self) -> None:
        """Nothing more is asked of the body: what still comes of it is dropped, and the client is watched. One that was
        never asked for its body is not asked now."""
        if self._asked and self._watch is None and not self.gone.done():
            self._more = False
            self._watch = asyncio.ensure_future(until_gone(self._receive))
            self._watch.add_done_callback(lambda watch: None if watch.cancelled() else self._leave())

    def _leave(self) -> None:
        if not self.gone.done():
            self.gone.set_result(None)

    def _end_watch(self, _: object) -> None:
        if self._watch is not None:
            self._watch.cancel()
