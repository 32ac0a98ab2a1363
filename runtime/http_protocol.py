"""HTTP/1.1 from clients: uvicorn's protocol on httptools, with the bounds that it leaves open.

Neither a head without end nor a client that never finishes one holds a connection. What can't be understood is
answered once, as JSON, and never into the middle of an answer that is under way.
"""

import asyncio
import json
import math
from collections import deque
from typing import Any, Final
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from proxy.relay.client import CLIENT
from runtime.http_cycle import Cycle

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
    # What uvicorn's own has of its own kind.
    cycle: Cycle
    pipeline: deque[tuple[Cycle, Any]]  # type: ignore[assignment]

    head_seconds: float = 30.0
    """How long a head may take once it has begun; and a body that is still sent after its answer."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._quiet = 0  # bytes since anything came of them
        self._running: Cycle | None = None
        self._waiting: asyncio.TimerHandle | None = None
        self._deaf = False
        self._upgrading = False
        self._idle_since = math.inf

    @property
    def _idle(self) -> bool:
        return self._running is None or self._running.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch_idleness()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        # Requests behind the one that runs may have come already.
        for cycle in {self._running, self.cycle}:
            if cycle is not None and not cycle.response_complete:
                cycle.left()
        if self.flow is not None:
            self.flow.resume_writing()
        if exc is None:
            self.transport.close()
        self.parser = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._quiet += len(data)
        self._idle_since = math.inf
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self._upgrading:
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
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        version = self.parser.get_http_version()
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["http_version"] = version
        # Trailers are told as headers, and must not join those that the application has been given.
        scope["headers"], self.headers = self.headers, []
        scope["raw_path"], scope["query_string"] = raw_path, _ = self._place()
        path = raw_path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        self._upgrading = self.parser.should_upgrade() and not declined
        if self._upgrading:
            return
        previous = self.cycle
        scope[CLIENT] = self.cycle = cycle = Cycle(
            *(scope, self.transport, self.flow, self.logger, self.server_state.default_headers),
            self.on_response_complete,
            keep_alive=not declined and version != "1.0" and self.parser.should_keep_alive(),
            asks_first=self.expect_100_continue,
        )
        if previous is None or previous.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def _place(self) -> tuple[bytes, bytes]:
        """The path and the query of the request's line."""
        url = self.url
        if url[:1] == b"/" and b"#" not in url:
            path, _, query = url.partition(b"?")
            return path, query
        parsed = httptools.parse_url(url)
        return parsed.path or b"/", parsed.query or b""

    def on_body(self, body: bytes) -> None:
        self._quiet = 0
        if self._upgrading or self.cycle.response_complete:
            return
        if self.cycle.came(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        self._quiet = 0
        if not self._upgrading and not self.cycle.response_complete:
            self.cycle.came_whole()

    def _start_asgi_task(self, cycle: Cycle, app: Any) -> None:  # type: ignore[override]
        self._running = cycle
        if cycle.scope["http_version"] == "1.0":
            app = _without_chunks(cycle, app)
        task = self.loop.create_task(cycle.run_asgi(app))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle_since = self.loop.time()

    # A connection that carries nothing. One timer looks now and then, so that no request needs one.

    def _watch_idleness(self) -> None:
        self._idle_since = self.loop.time()
        self._look_again(self.timeout_keep_alive)

    def _look_again(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self.transport.is_closing():
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left <= 0:
            self.transport.close()
        else:
            self._look_again(min(left, self.timeout_keep_alive))

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
            broken.left()
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


def _without_chunks(cycle: Cycle, app: Any) -> Any:
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
