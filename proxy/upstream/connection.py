"""One HTTP/1.1 connection to an upstream: it carries one exchange after the other, by callbacks."""

import asyncio
import math
from dataclasses import dataclass
from typing import Final, Protocol

from proxy.upstream.exchange import Exchange
from proxy.upstream.failure import FailureKind
from proxy.upstream.request import Streamed
from proxy.upstream.response import ResponseReader, Unacceptable

# A kept connection that ends this soon (seconds) after a request had been closed before it came. One that
# ends later may have worked on the request, and asking again would pay for it twice.
_STALE_WITHIN: Final = 1.0


@dataclass(frozen=True, slots=True)
class Patience:
    """Bounds in seconds. The first runs from the request, or its last piece, to the response's head, the second while
    nothing moves: no bytes of the response come, or none of a request in pieces are taken."""

    first_byte: float
    between_bytes: float


class Owner(Protocol):
    """Who is told what becomes of a connection."""

    def released(self, connection: "Connection") -> None:
        """It has carried an exchange to a clean end and can carry another."""

    def lost(self, connection: "Connection") -> None:
        """It is closed. Called once."""

    def replace(self, connection: "Connection", exchange: Exchange) -> None:
        """In place of `lost`: it closed before it could carry `exchange`, which needs a fresh one."""


class Connection(asyncio.Protocol):
    def __init__(self, owner: Owner, patience: Patience) -> None:
        self._loop = asyncio.get_running_loop()
        self._owner = owner
        self._patience = patience
        self._transport: asyncio.Transport | None = None
        self._reader = ResponseReader()
        self._exchange: Exchange | None = None
        self._upload: asyncio.Task[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        # One timer, never set further ahead than the shorter bound: moving the deadline then needs no timer.
        self._step = min(patience.first_byte, patience.between_bytes)
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = math.inf
        self._started = 0.0
        self._carried = 0
        self._received = False
        self._dropped = False

    @property
    def usable(self) -> bool:
        return not self._dropped and self._transport is not None and not self._transport.is_closing()

    def start(self, exchange: Exchange) -> None:
        """Sends the request of `exchange`. The connection is usable and carries none."""
        assert self._transport is not None
        self._exchange = exchange
        self._reader.expect(exchange)
        self._received = False
        self._started = self._loop.time()
        self._expect_within(self._patience.first_byte)
        exchange.carrier = self
        exchange.sent = True
        body = exchange.body
        if isinstance(body, bytes) and body:
            self._transport.writelines((exchange.head, body))
        else:
            self._transport.write(exchange.head)
        if body is not None and not isinstance(body, bytes):
            self._upload = asyncio.create_task(
                self._send_pieces(self._transport, exchange, body), name="upstream upload"
            )
            self._upload.add_done_callback(self._uploaded)
        if exchange.paused:
            self.pause()

    def pause(self) -> None:
        if self._transport is not None and not self._dropped:
            self._transport.pause_reading()
            self._deadline = math.inf

    def resume(self) -> None:
        if self._transport is not None and not self._dropped:
            self._transport.resume_reading()
            self._expect_within(
                self._patience.first_byte if self._reader.in_head else self._patience.between_bytes
            )

    def drop(self) -> None:
        """Closes at once, whatever is under way; nobody's sink hears of it."""
        if self._give_up():
            self._owner.lost(self)

    def shut(self, reason: str) -> None:
        """As `drop`, but an exchange that is under way fails."""
        self._fail("reset", reason)

    def _give_up(self) -> bool:
        if self._dropped:
            return False
        self._dropped = True
        self._exchange = None
        self._reader.mute()
        if self._timer is not None:
            self._timer.cancel()
        if self._upload is not None:
            self._upload.cancel()
        if self._transport is not None:
            self._transport.abort()
        return True

    def _fail(self, kind: FailureKind, detail: str) -> None:
        exchange = self._exchange
        self.drop()
        if exchange is not None:
            exchange.fail(kind, detail)

    # The request's body

    async def _send_pieces(self, transport: asyncio.Transport, exchange: Exchange, body: Streamed) -> None:
        chunked = body.length is None
        self._patient(exchange, math.inf)  # the upstream owes nothing while a piece is waited for
        async for piece in body.pieces:
            if not piece:
                continue
            if chunked:
                transport.writelines((b"%x\r\n" % len(piece), piece, b"\r\n"))
            else:
                transport.write(piece)
            if self._writable is not None:
                self._patient(exchange, self._patience.between_bytes)
                await self._writable  # bounded by the deadline, which drops the connection and this task
                self._patient(exchange, math.inf)
        if chunked:
            transport.write(b"0\r\n\r\n")
        self._patient(exchange, self._patience.first_byte)

    def _patient(self, exchange: Exchange, seconds: float) -> None:
        """So long for the head of the answer, from now on."""
        if self._reader.in_head and not exchange.paused:
            self._deadline = self._loop.time() + seconds

    def _uploaded(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._upload = None
        else:
            self._fail("request_body", type(error).__name__)

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # Time

    def _expect_within(self, seconds: float) -> None:
        self._deadline = self._loop.time() + seconds
        if self._timer is None:
            self._timer = self._loop.call_later(self._step, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        if self._exchange is None:
            return
        left = self._deadline - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(min(left, self._step), self._on_time)
        elif self._reader.in_head:
            self._fail("timeout_first_byte", "the upstream did not answer in time")
        else:
            self._fail("timeout_between_bytes", "the upstream's answer stood still")

    # What the transport tells

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        if self._dropped:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            self.drop()  # nobody asked
            return
        self._received = True
        reader = self._reader
        try:
            reader.feed(data)
        except Unacceptable as error:
            self._fail("protocol", str(error))
        except BaseException:
            self._fail("protocol", "the sink failed")
            raise
        if reader.complete:
            self._finish()
        elif not reader.in_head and not exchange.paused:
            self._deadline = self._loop.time() + self._patience.between_bytes

    def eof_received(self) -> None:
        self._ended(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._ended(error)

    def _ended(self, error: Exception | None) -> None:
        exchange = self._exchange
        if exchange is None:
            self.drop()
        elif self._reader.ends_with_connection and error is None:
            self._finish()
        elif self._is_stale(exchange):
            exchange.carrier = None
            if self._give_up():
                self._owner.replace(self, exchange)
        else:
            self._fail("reset", f"the upstream closed the connection{f': {error}' if error else ''}")

    def _is_stale(self, exchange: Exchange) -> bool:
        # Its replacement is fresh, so no exchange is replayed twice.
        return (
            self._carried > 0
            and not self._received
            and exchange.replayable
            and self._loop.time() - self._started <= _STALE_WITHIN
        )

    def _finish(self) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        clean = (
            self._reader.reusable
            and self.usable
            and self._upload is None
            and self._transport is not None
            and self._transport.get_write_buffer_size() == 0
        )
        if clean:
            if exchange.paused:
                self.resume()
            self._exchange = None
            self._reader.mute()
            self._carried += 1
            self._owner.released(self)
        else:
            self.drop()
        exchange.end()
