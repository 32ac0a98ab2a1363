"""HTTP/1.1 from clients: uvicorn's protocol on httptools, with the bounds that it leaves open.

Neither a head without end nor a client that never finishes one holds a connection. What can't be understood is
answered once, as JSON, and never into the middle of an answer that is under way.
"""

import asyncio
import json
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

MAX_HEAD: Final = 64 * 1024
"""Bytes of a request's line and headers; and of what may come between two pieces of a body."""
MAX_HEADERS: Final = 200
MAX_AHEAD: Final = 64
"""Requests that a client may send before the one under way is answered."""


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class HttpProtocol(HttpToolsProtocol):
    head_seconds: float = 30.0
    """How long a head may take once it has begun; and a body that is still sent after its answer."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._quiet = 0  # bytes since anything came of them
        self._running: RequestResponseCycle | None = None
        self._waiting: asyncio.TimerHandle | None = None
        self._deaf = False

    @property
    def _idle(self) -> bool:
        return self._running is None or self._running.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        running = self._running
        if running is not None and running is not self.cycle and not running.response_complete:
            # Requests behind it have come already, so it is not the one that was told.
            running.disconnected = True
            running.message_event.set()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._quiet += len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self._stop_waiting()
                if self._idle:
                    self.handle_websocket_upgrade()
                else:
                    self._refuse(400, "A WebSocket cannot begin behind a request that is not answered yet.")
                return
            self._deaf = True  # this request is answered as any other, and nothing that follows it is read
        except httptools.HttpParserError as error:
            told = error.__context__
            if isinstance(told, _Refused):
                self._refuse(told.status, str(told))
            else:
                self._refuse(400, "The request is not valid HTTP/1.1.")
            return
        if self._quiet > MAX_HEAD:
            self._refuse(431, "The head of the request, or the framing of its body, is too large.")
        elif self._waiting is None and self._idle and not self.transport.is_closing():
            self._waiting = self.loop.call_later(self.head_seconds, self._too_late)

    # What the parser tells

    def on_headers_complete(self) -> None:
        if len(self.headers) > MAX_HEADERS or (self._quiet > MAX_HEAD and self._head_size() > MAX_HEAD):
            raise _Refused(431, "The head of the request is too large.")
        if len(self.pipeline) >= MAX_AHEAD:
            raise _Refused(429, "Too many requests were sent ahead on one connection.")
        declined = self.parser.should_upgrade() and not self._should_upgrade()
        if declined and self._announces_body():
            # The parser takes all that follows for the other protocol's, so the body is lost.
            raise _Refused(400, "No other protocol is spoken here: send the request without Upgrade.")
        self._quiet = 0
        self._stop_waiting()
        super().on_headers_complete()
        if declined:
            self.cycle.keep_alive = False
        # Trailers are told as headers, and would join those that the application has been given.
        self.headers = list(self.headers)

    def on_body(self, body: bytes) -> None:
        self._quiet = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._quiet = 0
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(
            cycle, app if cycle.scope["http_version"] != "1.0" else _without_chunks(cycle, app)
        )

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _announces_body(self) -> bool:
        return any(
            name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0 "))
            for name, value in self.headers
        )

    # Ends

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_late(self) -> None:
        self._waiting = None
        if self._idle:
            self._refuse(408, "The request did not arrive in time.")

    def _refuse(self, status: int, message: str) -> None:
        """Answers with an error and closes. Requests that came whole before are answered first, and are the last."""
        if self._deaf or self.transport.is_closing():
            return
        self._deaf = True
        self._stop_waiting()
        broken = self.cycle if self.cycle is not None and self.cycle.more_body else None
        if self.pipeline and self.pipeline[0][0] is broken:
            self.pipeline.popleft()
            broken = None
        last = self.pipeline[0][0] if self.pipeline else self._running
        if last is not None and last is not broken and not last.response_complete:
            last.keep_alive = False
            return
        if broken is None or not broken.response_started:
            self._say(status, message)
        if broken is not None:
            broken.disconnected = True
            broken.message_event.set()
        self.transport.close()

    def _say(self, status: int, message: str) -> None:
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
        body = json.dumps({"error": error}).encode()
        headers = (
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        )
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[status], lines, body))


def _without_chunks(cycle: RequestResponseCycle, app: Any) -> Any:
    """`app` for a client of HTTP/1.0, which knows no chunks: a body without a length ends with its connection."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        open_ended = False

        async def send_on(message: Any) -> None:
            nonlocal open_ended
            if message["type"] == "http.response.start":
                open_ended = not any(name.lower() == b"content-length" for name, _ in message["headers"])
                if open_ended:
                    cycle.chunked_encoding = False
            elif open_ended:
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await app(scope, receive, send_on)

    return answer
