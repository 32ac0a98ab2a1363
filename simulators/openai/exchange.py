"""One HTTP exchange: read the request, write the answer, know when the client has gone."""

import asyncio
from collections.abc import AsyncGenerator
from typing import NoReturn
from urllib.parse import unquote_to_bytes

from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope

from simulators.openai.connection import ObservedProtocol
from simulators.openai.errors import Headers

PATIENCE = 600.0  # seconds: no wait for a client is longer
BODY_PATIENCE = 60.0


class ClientGoneError(Exception):
    """The client closed the connection, or took nothing for too long."""


class Exchange:
    def __init__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        connection = scope["state"]["connection"]
        assert isinstance(connection, ObservedProtocol)
        self._connection = connection
        self._keeps_alive = connection.cycle.keep_alive
        self._receive = receive
        self._send = send
        self.method = scope["method"]
        self.raw_path = scope["raw_path"].decode("ascii", "replace")
        self.path = unquote_to_bytes(self.raw_path).decode("utf-8", "replace")
        self.query = scope["query_string"].decode("ascii", "replace")
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.body_size = 0

    async def body(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes."""
        more = True
        while more:
            try:
                async with asyncio.timeout(BODY_PATIENCE):
                    message = await self._receive()
            except TimeoutError as error:
                raise ClientGoneError from error
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            assert message["type"] == "http.request"
            chunk = message.get("body", b"")
            self.body_size += len(chunk)
            more = message.get("more_body", False)
            yield chunk

    async def pause(self, seconds: float) -> None:
        """Waits; a client that goes meanwhile ends it at once."""
        if seconds > 0:
            await asyncio.wait((self._connection.gone,), timeout=seconds)
        if self._connection.gone.done():
            raise ClientGoneError

    async def start(self, status: int, headers: Headers, *, streamed: bool = False) -> None:
        self._connection.flush_every_write(streamed)
        await self._send(
            {"type": "http.response.start", "status": status, "headers": list(headers), "trailers": False}
        )

    async def write(self, data: bytes, *, more: bool) -> None:
        """Returns when the socket took the data (a stream) or the buffer did (a whole answer)."""
        connection = self._connection
        if connection.gone.done():
            raise ClientGoneError
        connection.flushed = False
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
        if connection.flow.write_paused:
            try:
                async with asyncio.timeout(PATIENCE):
                    await connection.flow.drain()
            except TimeoutError:
                connection.transport.abort()
            if not connection.flushed:
                await self._leave()
        elif connection.transport.is_closing() and (more or self._keeps_alive):
            # A failed write closes the transport (as does uvicorn, where the answer ends the connection).
            await self._leave()
        else:
            # Nothing had to wait: give way, or a long answer would keep everybody else from theirs. If the
            # client goes meanwhile, this write has been taken all the same.
            await asyncio.sleep(0)

    async def _leave(self) -> NoReturn:
        # The server must have seen it too before we return, or it takes the answer for forgotten.
        await asyncio.wait((self._connection.gone,), timeout=PATIENCE)
        raise ClientGoneError

    async def cut(self) -> None:
        """Closes the TCP connection with the answer unfinished."""
        self._connection.transport.abort()
        await asyncio.wait((self._connection.gone,), timeout=PATIENCE)

    async def hang(self) -> None:
        """Sends nothing more until the client gives up."""
        await asyncio.wait((self._connection.gone,), timeout=PATIENCE)
        if not self._connection.gone.done():
            self._connection.transport.abort()
        await self._leave()
