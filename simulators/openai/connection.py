"""uvicorn's HTTP protocol, which here also tells when the client goes and what was really written."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class ObservedProtocol(HttpToolsProtocol):
    """Reachable from a request as `scope["state"]["connection"]`.

    `gone` is done once the connection is lost, without anybody having to read for it. `flushed` tells
    that the transport's buffer was emptied since it was last set to False.
    """

    gone: asyncio.Future[None]
    flushed: bool = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.gone = self.loop.create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self.gone.done():
            self.gone.set_result(None)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["connection"] = self

    def resume_writing(self) -> None:
        self.flushed = True
        super().resume_writing()

    def flush_every_write(self, wanted: bool) -> None:
        """Whether each write waits until the socket has taken it, rather than until a buffer has room."""
        self.transport.set_write_buffer_limits(0 if wanted else None)
