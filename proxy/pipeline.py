"""Redis by pipelining: the commands of one event-loop iteration leave in one write on one connection.

The bound on an answer is kept for a batch, not for a command: replies come in order, so when the oldest
batch is late the connection is stuck, and everything on it fails together.
"""

import asyncio
import hashlib
import random
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, TypeAlias

import hiredis
from redis.asyncio.connection import SSLConnection, parse_url

Argument: TypeAlias = bytes | str | int
# RESP2: bytes, int, None, or a list of these; which of them is known only by the command.
Reply: TypeAlias = Any

_Command: TypeAlias = tuple[Argument, ...]

_INCOMPLETE: Final = object()
_FIRST_BACKOFF: Final = 0.02
_LAST_BACKOFF: Final = 1.0
# A loop that was held up runs its timers before it reads: let it read before a reply is called late.
_LAST_LOOK: Final = 0.002


class RedisUnavailable(Exception):
    """Redis cannot be asked, or did not answer within the bound.

    Whether a command that was already sent has been executed is unknown: make scripts idempotent.
    """


class RedisReplyError(Exception):
    """Redis answered with an error (-ERR, -LOADING, -OOM, -READONLY, ...): the command had no success."""

    @property
    def code(self) -> str:
        return str(self).partition(" ")[0]


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the SHA-1 by which Redis knows it."""

    source: str
    sha1: str


class _Connection(asyncio.Protocol):
    """One connection, from its handshake to its first fault. It is never mended, only replaced."""

    def __init__(self, timeout: float, limit: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._limit = limit
        self._reader = hiredis.Reader(replyError=RedisReplyError, notEnoughData=_INCOMPLETE)
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []
        # Whose turn it is, with the command to send where Redis does not know the script.
        self._waiting: deque[tuple[asyncio.Future[Reply], _Command | None]] = deque()
        # When the answers to a write are due, and the number of the last of them.
        self._due: deque[tuple[float, int]] = deque()
        self._queued = 0
        self._answered = 0
        self._timer: asyncio.TimerHandle | None = None
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self.alive = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def send(self, command: _Command, otherwise: _Command | None = None) -> asyncio.Future[Reply]:
        if len(self._waiting) >= self._limit:
            raise RedisUnavailable(f"{self._limit} commands are waiting for Redis already")
        future: asyncio.Future[Reply] = self._loop.create_future()
        self._queue(command, future, otherwise)
        return future

    def _queue(self, command: _Command, future: asyncio.Future[Reply], otherwise: _Command | None) -> None:
        packed = hiredis.pack_command(command)  # type: ignore[arg-type]  # its stub knows one-word commands only
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(packed)
        self._waiting.append((future, otherwise))
        self._queued += 1

    def _flush(self) -> None:
        if self._transport is None or not self._unsent:
            return
        due = monotonic() + self._timeout  # the loop's own clock may stand still while callbacks run
        self._due.append((due, self._queued))
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
        try:
            while self.alive and (reply := self._reader.gets()) is not _INCOMPLETE:
                if not self._waiting:
                    self.fail("Redis answered what was not asked")
                    break
                future, otherwise = self._waiting.popleft()
                self._answered += 1
                if not isinstance(reply, RedisReplyError):
                    if not future.done():
                        future.set_result(reply)
                elif otherwise is not None and reply.code == "NOSCRIPT":
                    # Sent again even if its caller has gone: leaving doesn't take a command back.
                    self._queue(otherwise, future, None)
                elif not future.done():
                    future.set_exception(reply)
        except hiredis.ProtocolError as error:
            self.fail(f"Redis does not speak RESP: {error}")

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
        for future, _ in self._waiting:
            if not future.done():
                future.set_exception(RedisUnavailable(reason))
        self._waiting.clear()
        self._unsent.clear()
        if not self.lost.done():
            self.lost.set_result(None)


class RedisPipeline:
    """One pipelined connection to Redis behind a circuit breaker.

    The breaker is open while there is no connection: calls then fail at once. A task of ours reconnects
    with backoff; the breaker closes once a new connection has answered PING. `on_connect` callbacks run
    after each connect. Use it from the event loop that `connect` ran in.
    """

    def __init__(
        self, url: str, *, timeout: float = 0.25, connect_timeout: float = 1.0, max_outstanding: int = 10_000
    ) -> None:
        """`url` as redis-py has it: redis://[user:password@]host:port/db, rediss:// (TLS), unix://path?db=N.

        `timeout` (seconds) bounds each answer, `connect_timeout` the transport and TLS. Raises ValueError for
        a URL that is none.
        """
        self._address = parse_url(url)
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._limit = max_outstanding
        self._connection: _Connection | None = None
        self._scripts: list[Script] = []
        self._keeper: asyncio.Task[None] | None = None
        self.on_connect: list[Callable[[], object]] = []

    @property
    def available(self) -> bool:
        return self._connection is not None and self._connection.alive

    async def connect(self) -> None:
        """Connects. Raises RedisUnavailable if that fails; attempts go on in the background until `close`."""
        if self._keeper is not None:
            raise RuntimeError("connect was called before")
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep(first), name="redis keeper")
        await first  # bounded by the timeouts of the handshake

    async def close(self) -> None:
        """Ends the connection; what is outstanding fails with RedisUnavailable."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper], timeout=self._connect_timeout)
        if self._connection is not None:
            self._connection.fail("the connection to Redis was closed by us")
            self._connection = None

    def script(self, source: str) -> Script:
        """A script that is loaded at every connect from now on."""
        self._scripts.append(Script(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()))
        return self._scripts[-1]

    def send(self, *args: Argument) -> asyncio.Future[Reply]:
        """Queues a command; it leaves at the end of this iteration of the event loop.

        The future brings the reply, RedisReplyError, or RedisUnavailable: after the bound, or when the
        connection is lost, and then nobody knows whether the command was executed. Cancelling the future
        doesn't take the command back. Raises RedisUnavailable at once where nothing can be sent.
        """
        return self._usable().send(args)

    def send_script(
        self, script: Script, keys: Sequence[bytes | str], args: Sequence[Argument]
    ) -> asyncio.Future[Reply]:
        """As `send`, for a script. One that Redis has forgotten is sent again once with its source.

        It had not run, so nothing runs twice; but it then runs after commands sent in between, and takes up
        to twice the bound.
        """
        rest = (len(keys), *keys, *args)
        return self._usable().send(("EVALSHA", script.sha1, *rest), ("EVAL", script.source, *rest))

    async def execute(self, *args: Argument) -> Reply:
        """`send`, awaited; the bound is that of `send`."""
        return await self.send(*args)

    def _usable(self) -> _Connection:
        if self._connection is None or not self._connection.alive:
            raise RedisUnavailable("Redis is not connected")
        return self._connection

    async def _keep(self, first: asyncio.Future[None]) -> None:
        loop = asyncio.get_running_loop()
        backoff = _FIRST_BACKOFF
        while True:
            try:
                connection = await self._open()
            except (OSError, ValueError, RedisUnavailable, RedisReplyError) as error:
                if not first.done():
                    first.set_exception(RedisUnavailable(f"cannot connect to Redis: {error}"))
            else:
                since = loop.time()
                self._connection = connection
                for callback in self.on_connect:
                    loop.call_soon(callback)
                if not first.done():
                    first.set_result(None)
                await connection.lost
                # A Redis that answers PING and nothing else must not be asked again and again.
                if loop.time() - since > _LAST_BACKOFF:
                    backoff = _FIRST_BACKOFF
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311
            backoff = min(2 * backoff, _LAST_BACKOFF)

    async def _open(self) -> _Connection:
        connection = _Connection(self._timeout, self._limit)
        try:
            async with asyncio.timeout(self._connect_timeout):
                await self._dial(connection)
            await self._shake_hands(connection)
        except BaseException:
            connection.fail("the handshake with Redis failed")
            raise
        return connection

    async def _dial(self, connection: _Connection) -> None:
        loop, address = asyncio.get_running_loop(), self._address
        if "path" in address:
            await loop.create_unix_connection(lambda: connection, address["path"])
            return
        host = address.get("host", "localhost")
        tls = ssl.create_default_context() if address.get("connection_class") is SSLConnection else None
        transport, _ = await loop.create_connection(
            lambda: connection, host, address.get("port", 6379), ssl=tls
        )
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def _shake_hands(self, connection: _Connection) -> None:
        address, commands = self._address, list[_Command]()
        if "password" in address:
            user = (address["username"],) if "username" in address else ()
            commands.append(("AUTH", *user, address["password"]))
        if "db" in address:
            commands.append(("SELECT", address["db"]))
        commands += [("SCRIPT", "LOAD", script.source) for script in self._scripts]
        commands.append(("PING",))
        await asyncio.gather(*[connection.send(command) for command in commands])
