"""One connection to one server: the commands of one event-loop iteration leave in one write.

The bound on an answer is kept for a batch, not for a command: replies come in order, so when the oldest
batch is late the connection is stuck, and everything on it fails together.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final, TypeAlias

import hiredis

from proxy.pipeline.replies import Command, RedisReplyError, RedisUnavailable, Reply

_INCOMPLETE: Final = object()
# A loop that was held up runs its timers before it reads: let it read before a reply is called late.
_LAST_LOOK: Final = 0.002


Sent: TypeAlias = tuple[asyncio.Future[Reply], Command, str | None, float]
"""A command that somebody waits for, and the source of its script, in case Redis does not know that; since when (by the
monotonic clock) the nodes of a cluster have been showing it to one another, 0 if they have not."""

Divert = Callable[[Sent, RedisReplyError], bool]
"""Looks at a command that failed before its caller is told; whether it sees to the command itself."""


class Connection(asyncio.Protocol):
    """From its handshake to its first fault. It is never mended, only replaced."""

    def __init__(self, timeout: float, limit: int, divert: Divert | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._limit = limit
        self._divert = divert
        self._reader = hiredis.Reader(replyError=RedisReplyError, notEnoughData=_INCOMPLETE)
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []
        self._waiting: deque[Sent] = deque()
        # When the answers to a write are due, and the number of the last of them.
        self._due: deque[tuple[float, int]] = deque()
        self._answered = 0
        self._timer: asyncio.TimerHandle | None = None
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self.alive = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def send(self, command: Command, source: str | None = None) -> asyncio.Future[Reply]:
        """Raises RedisUnavailable where too many wait already."""
        if len(self._waiting) >= self._limit:
            raise RedisUnavailable(f"{self._limit} commands are waiting for Redis already")
        future: asyncio.Future[Reply] = self._loop.create_future()
        self.queue((future, command, source, 0.0))
        return future

    def queue(self, sent: Sent) -> None:
        """As `send`, for a command that somebody waits for already."""
        packed = hiredis.pack_command(sent[1])  # type: ignore[arg-type]  # its stub knows one-word commands only
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(packed)
        self._waiting.append(sent)

    def _flush(self) -> None:
        if self._transport is None or not self._unsent:
            return
        due = monotonic() + self._timeout  # the loop's own clock may stand still while callbacks run
        self._due.append((due, self._answered + len(self._waiting)))
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout, self._on_time)
        self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def _on_time(self) -> None:
        self._timer = None
        due = self._due
        while due and due[0][1] <= self._answered:
            due.popleft()
        if not due:
            return
        left = due[0][0] - monotonic()
        if left <= 0:
            self._timer = self._loop.call_later(_LAST_LOOK, self._judge, due[0][1])
        else:
            self._timer = self._loop.call_later(left, self._on_time)

    def _judge(self, batch: int) -> None:
        if self._answered < batch:
            self.fail("Redis did not answer in time")
        else:
            self._on_time()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        gets, waiting = self._reader.gets, self._waiting
        try:
            while self.alive and (reply := gets()) is not _INCOMPLETE:
                if not waiting:
                    self.fail("Redis answered what was not asked")
                    break
                sent = waiting.popleft()
                self._answered += 1
                if isinstance(reply, RedisReplyError):
                    self._failed(sent, reply)
                elif not (future := sent[0]).done():
                    future.set_result(reply)
        except hiredis.ProtocolError as error:
            self.fail(f"Redis does not speak RESP: {error}")

    def _failed(self, sent: Sent, error: RedisReplyError) -> None:
        # What is sent again is so even if its caller has gone: leaving doesn't take a command back.
        future, command, source, since = sent
        if source is not None and error.code == "NOSCRIPT":
            self.queue((future, ("EVAL", source, *command[2:]), None, since))
        elif self._divert is not None and self._divert(sent, error):
            return
        elif not future.done():
            future.set_exception(error)

    def connection_lost(self, error: Exception | None) -> None:
        self.fail(f"the connection to Redis was lost: {error or 'closed by Redis'}")

    def fail(self, reason: str) -> None:
        """Everything outstanding fails with RedisUnavailable, and the connection is closed."""
        if not self.alive:
            return
        self.alive = False
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        for future, *_ in self._waiting:
            if not future.done():
                future.set_exception(RedisUnavailable(reason))
        self._waiting.clear()
        self._unsent.clear()
        if not self.lost.done():
            self.lost.set_result(None)
