"""One request and its answer over HTTP/1.1: uvicorn's cycle, without what it spends on every message.

Beside ASGI's `receive` and `send`, which it keeps, it tells what has come already and who has left without a task that
waits for it, and writes a whole answer in one piece (proxy/relay/client.py says how it is used).
"""

import asyncio
import re
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, Final

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_FORBIDDEN: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BODILESS: Final = (204, 304)


class Cycle(RequestResponseCycle):
    def __init__(
        self,
        scope: Any,
        transport: asyncio.Transport,
        flow: FlowControl,
        logger: Any,
        default_headers: list[tuple[bytes, bytes]],
        on_response: Callable[[], None],
        *,
        keep_alive: bool,
        asks_first: bool,
    ) -> None:
        # All that uvicorn's own sets, but for an event that hardly anybody waits for.
        self.scope = scope
        self.transport = transport
        self.flow = flow
        self.logger = logger
        self.default_headers = default_headers
        self.on_response = on_response
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = asks_first
        self.disconnected = False
        self.body: Any = b""
        self.more_body = True
        self.response_started = False
        self.response_complete = False
        self.chunked_encoding: bool | None = None
        self.expected_content_length = 0
        self._news: asyncio.Future[None] | None = None
        self._told = False
        self._gone: asyncio.Future[None] | None = None

    async def run_asgi(self, app: Any) -> None:
        """Raises nothing but for cancellation. An application that leaves its answer unfinished cuts its client off."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception:
            self.logger.exception("the application failed")
        finally:
            if not self.response_started and not self.disconnected:
                self.answer(500, ((b"content-length", b"0"), (b"connection", b"close")), b"")
            elif not self.response_complete and not self.disconnected:
                self.transport.close()
            # What refers to one another parts, so that it goes at once instead of waiting for the collector.
            scope: Any = {"method": self.scope["method"]}
            self.scope, self.on_response = scope, _nothing

    # The request

    def came(self, data: bytes) -> int:
        """A piece of the body. Returns how much waits to be taken."""
        if not self.body:
            self.body = data
        else:
            if isinstance(self.body, bytes):
                self.body = bytearray(self.body)
            self.body += data
        self._tell()
        return len(self.body)

    def came_whole(self) -> None:
        self.more_body = False
        self._tell()

    def left(self) -> None:
        """The client has gone."""
        self.disconnected = True
        self._tell()
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    def whole_body(self) -> bytes | None:
        """The body, if all of it has come, whether its client is still there or not; None where there is something to
        wait for."""
        if self.more_body or self.waiting_for_100_continue:
            return None
        self._told = False
        body, self.body = self.body, b""
        return bytes(body)

    def gone(self) -> "asyncio.Future[None]":
        """Done once the client has left. May be cancelled."""
        self._gone = gone = asyncio.get_running_loop().create_future()
        self.flow.resume_reading()
        if self.disconnected:
            gone.set_result(None)
        return gone

    async def receive(self) -> Any:
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            await self._told_something()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self.body = self.body, b""
        return {"type": "http.request", "body": bytes(body), "more_body": self.more_body}

    async def _told_something(self) -> None:
        """Until anything has happened since the last time. The bound is the caller's."""
        if not self._told:
            self._news = asyncio.get_running_loop().create_future()
            try:
                await self._news
            finally:
                self._news = None
        self._told = False

    def _tell(self) -> None:
        self._told = True
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    # The answer

    async def send(self, message: MutableMapping[str, Any]) -> None:  # type: ignore[override]
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()  # bounded by whoever watches for clients that take nothing
        if self.disconnected:
            return
        kind = message["type"]
        if not self.response_started:
            if kind != "http.response.start":
                raise RuntimeError(f"an answer begins with its head, not with {kind}")
            self.transport.write(self._head(message["status"], message.get("headers", ())))
        elif self.response_complete:
            raise RuntimeError("the answer is complete already")
        else:
            self._write(message.get("body", b""), last=not message.get("more_body", False))

    def answer(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
        """A whole answer at once; False where the client does not take what was sent before."""
        if self.disconnected or self.flow.write_paused:
            return False
        self.transport.write(self._head(status, headers))
        self._write(body, last=True)
        return True

    def write(self, data: bytes) -> bool:
        """More of the body at once; False where the client does not take what was sent before, or its kind of answer
        needs a closer look."""
        if self.flow.write_paused or self.disconnected or not self.chunked_encoding:
            return False
        self.transport.writelines((b"%x\r\n" % len(data), data, b"\r\n"))
        return True

    def adds(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """These go with the answer."""
        self.default_headers = [*self.default_headers, *headers]

    def _head(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        self.response_started = True
        self.waiting_for_100_continue = False
        lines = [STATUS_LINE[status]]
        closes = False
        for name, value in (*self.default_headers, *headers):
            lines.append(b"%b: %b\r\n" % (name, value))
            if name == b"content-length" and self.chunked_encoding is None:
                self.expected_content_length = int(value)
                self.chunked_encoding = False
            elif name == b"transfer-encoding" and value.lower() == b"chunked":
                self.expected_content_length = 0
                self.chunked_encoding = True
            elif name == b"connection" and b"close" in value.lower():
                self.keep_alive, closes = False, True
        if not self.keep_alive and not closes:
            lines.append(b"connection: close\r\n")
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in _BODILESS:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        head, count = b"".join(lines), len(lines)
        if head.count(b"\n") != count or head.count(b"\r") != count or _FORBIDDEN.search(head):
            raise RuntimeError("a header of the answer holds a character that is not allowed there")
        return head + b"\r\n"

    def _write(self, body: bytes, *, last: bool) -> None:
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
        elif self.chunked_encoding:
            if body:
                self.transport.writelines(
                    (b"%x\r\n" % len(body), body, b"\r\n0\r\n\r\n" if last else b"\r\n")
                )
            elif last:
                self.transport.write(b"0\r\n\r\n")
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError("the answer is longer than its Content-Length")
            if body:
                self.transport.write(body)
        if last:
            if self.expected_content_length:
                raise RuntimeError("the answer is shorter than its Content-Length")
            self._complete()

    def _complete(self) -> None:
        self.response_complete = True
        self._tell()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


def _nothing() -> None: ...
