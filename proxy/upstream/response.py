"""The bytes of a response turned into calls on a sink. No I/O."""

from typing import Final

import httptools

from proxy.upstream.exchange import Exchange, Sink
from proxy.upstream.request import Header

MAX_HEAD: Final = 64 * 1024


class Unacceptable(Exception):
    """What came is not a response that we take."""


class ResponseReader:
    """Reads one response after the other. After each `feed` its attributes say where the response stands."""

    __slots__ = (
        "_bodiless", "_exchange", "_head_size", "_headers", "_is_framed", "_is_odd", "_parser", "_quiet", "_reason",
        "_sink",
        "complete", "ends_with_connection", "in_head", "reusable",
    )  # fmt: skip

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._exchange: Exchange | None = None
        self._sink: Sink | None = None
        self._begin()

    def _begin(self) -> None:
        self._reason = b""
        self._headers: list[Header] = []
        self._head_size = 0
        self._quiet = 0  # bytes since the last that made progress
        self.in_head = True
        self.complete = False
        self.reusable = False  # may the connection carry another exchange?
        self.ends_with_connection = False  # is the end of the connection the end of the body?
        self._bodiless = False  # was it the answer to HEAD?
        self._is_framed = False  # does the head say where the body ends?
        self._is_odd = False  # in a way that was not asked for?

    def expect(self, exchange: Exchange) -> None:
        """The next response belongs to `exchange`."""
        if self._bodiless:
            self._parser = httptools.HttpResponseParser(self)
        self._begin()
        self._exchange = exchange
        self._sink = exchange.sink

    def mute(self) -> None:
        """Whatever comes, the sink hears nothing more."""
        self._exchange = self._sink = None

    def feed(self, data: bytes) -> None:
        """Raises Unacceptable, or what the sink raised; the connection is of no more use then."""
        self._quiet += len(data)
        try:
            self._parser.feed_data(data)
            if self._bodiless and not data.endswith(b"\r\n\r\n"):
                self.reusable = False  # bytes behind the head
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.reusable = False
            if self.complete:
                return
            if isinstance(error, httptools.HttpParserCallbackError) and error.__context__ is not None:
                raise error.__context__ from None
            raise Unacceptable(str(error)) from None
        if self._quiet > MAX_HEAD and not self.complete:
            raise Unacceptable("the upstream's head or chunk framing is too large")

    def on_message_begin(self) -> None:
        if self.complete:
            self.reusable = False  # bytes after the end

    def on_chunk_header(self) -> None:
        if self.complete:
            self.reusable = False

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.in_head and not self.complete:  # else a trailer
            name = name.lower()
            self._head_size += len(name) + len(value)
            self._headers.append((name, value))
            if name == b"transfer-encoding":
                self._is_framed = True
                self._is_odd = self._is_odd or value.strip().lower() != b"chunked"
            elif name == b"content-length":
                self._is_framed = True

    def on_headers_complete(self) -> None:
        exchange = self._exchange
        if self.complete or exchange is None:
            return
        if self._head_size > MAX_HEAD:
            raise Unacceptable("the upstream's head is too large")
        status = self._parser.get_status_code()
        if status == 101:
            raise Unacceptable("the upstream switched protocols unasked")
        if not 100 <= status < 600:
            raise Unacceptable(f"the upstream answered with the status {status}")
        if status < 200:
            return
        if self._is_odd:
            raise Unacceptable("the upstream encoded its transfer unasked")
        self.in_head = False
        self._quiet = 0
        self.reusable = self._parser.should_keep_alive()
        self.ends_with_connection = not self._is_framed and status not in (204, 304)
        exchange.respond(status, self._reason, self._headers)
        if exchange.is_head:
            # The parser can't be told that no body follows, so the next response needs another.
            self.complete = self._bodiless = True

    def on_body(self, data: bytes) -> None:
        self._quiet = 0
        if self.complete:
            self.reusable = False
        elif self._sink is not None:
            self._sink.on_body(data)

    def on_message_complete(self) -> None:
        if self.in_head:  # an interim response, 1xx
            self._reason = b""
            self._headers = []
            self._is_framed = self._is_odd = False
        else:
            self.complete = True
