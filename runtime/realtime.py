"""WebSockets of the proxy: uvicorn's, but for how the server stops."""

import asyncio
import logging
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from proxy.realtime.door import STOPPING


class RealtimeProtocol(WebSocketsSansIOProtocol):
    """A session is told that the server stops, and ends by itself: uvicorn would close it in mid-response."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # uvicorn would tell of every session.
        self.logger = self.conn.logger = logging.getLogger("websockets.server")
        self._stopping = asyncio.Event()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        # The application's task was made, and runs after this.
        if self.handshake_initiated and not self.handshake_complete:
            self.scope["extensions"][STOPPING] = {"event": self._stopping}

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            # A refusal over HTTP completes the handshake; uvicorn would complain that nothing did.
            self.handshake_complete = True

    def on_task_complete(self, task: "asyncio.Task[None]") -> None:
        super().on_task_complete(task)
        if not self.writable.is_set():
            # What waits for a client that takes nothing would keep the connection for ever.
            self.transport.abort()

    def shutdown(self) -> None:
        self._stopping.set()
