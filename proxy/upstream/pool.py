"""The connections to one origin."""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from functools import partial

from proxy.upstream.connect import Connector, connect
from proxy.upstream.connection import Connection, Patience
from proxy.upstream.exchange import Exchange, Sink
from proxy.upstream.failure import FailureKind
from proxy.upstream.origin import Origin
from proxy.upstream.request import Body, Header, request_head


class Pool:
    """Keeps connections and reuses the one used last, so that those not needed grow old and go.

    Timeouts are in seconds. `idle_timeout` is below the 60 s after which servers commonly close a kept
    connection. `connect_timeout` bounds a connect with its TLS, and the wait for a free connection.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        max_connections: int = 1024,
        connect_timeout: float = 5.0,
        first_byte_timeout: float = 600.0,
        between_bytes_timeout: float = 120.0,
        idle_timeout: float = 30.0,
        connector: Connector = connect,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tls` stands in for the context that verifies against the system's authorities."""
        self._origin = origin
        self._tls = tls if tls is not None and origin.tls else origin.tls_context()
        self._max_connections = max_connections
        self._connect_timeout = connect_timeout
        self._idle_timeout = idle_timeout
        self._patience = Patience(first_byte_timeout, between_bytes_timeout)
        self._connector = connector
        self._connections: set[Connection] = set()
        self._opening: set[asyncio.Task[Connection]] = set()
        # Both oldest first, with the time at which their patience ends.
        self._idle: deque[tuple[float, Connection]] = deque()
        self._waiting: deque[tuple[float, Exchange]] = deque()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._waiting_timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def origin(self) -> Origin:
        return self._origin

    @property
    def open(self) -> int:
        """Connections that are open or being opened."""
        return len(self._connections) + len(self._opening)

    @property
    def idle(self) -> int:
        """Kept connections that carry nothing."""
        return len(self._idle)

    def exchange(
        self, method: bytes, target: bytes, headers: Sequence[Header], body: Body, sink: Sink
    ) -> Exchange:
        """Starts at once and never blocks; what happens is told to `sink`, never before this returns.

        `target` is complete (see Origin.target); `headers` without Host and the body's framing, which are
        added. A streamed body is sent from a task of the connection's, and can't be replayed: where it may, it goes by
        a fresh connection, for a kept one may have been closed at the other end.
        Raises ValueError for a request that cannot be written.
        """
        if self._closed:
            raise RuntimeError("the pool is closed")
        head = request_head(self._origin, method, target, headers, body)
        exchange = Exchange(head, body, sink, is_head=method == b"HEAD")
        while self._idle and (exchange.replayable or self.open >= self._max_connections):
            connection = self._idle.pop()[1]
            if connection.usable:
                connection.start(exchange)
                return exchange
            connection.drop()
        loop = asyncio.get_running_loop()
        self._waiting.append((loop.time() + self._connect_timeout, exchange))
        if self._waiting_timer is None:
            self._waiting_timer = loop.call_later(self._connect_timeout, self._on_waited)
        self._open_wanted()
        return exchange

    async def close(self) -> None:
        """Closes everything; exchanges that are under way fail."""
        self._closed = True
        for timer in (self._idle_timer, self._waiting_timer):
            if timer is not None:
                timer.cancel()
        opening = list(self._opening)
        for task in opening:
            task.cancel()
        while self._waiting:
            self._waiting.popleft()[1].fail("connect", "the pool is closing")
        for connection in list(self._connections):
            connection.shut("the pool is closing")
        if opening:
            await asyncio.wait(opening, timeout=self._connect_timeout)

    # Opening

    def _open_wanted(self) -> None:
        while len(self._opening) < len(self._waiting) and self.open < self._max_connections:
            self._open(None)

    def _open(self, exchange: Exchange | None) -> None:
        """Opens a connection, for `exchange` or for whoever waits longest."""
        task = asyncio.create_task(self._connect(), name="upstream connect")
        self._opening.add(task)
        task.add_done_callback(partial(self._opened, exchange))

    async def _connect(self) -> Connection:
        connection = Connection(self, self._patience)
        try:
            async with asyncio.timeout(self._connect_timeout):
                await self._connector(self._origin, self._tls, lambda: connection)
        except BaseException:
            connection.drop()
            raise
        return connection

    def _opened(self, exchange: Exchange | None, task: asyncio.Task[Connection]) -> None:
        self._opening.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            connection = task.result()
            self._connections.add(connection)
            if self._closed:
                connection.drop()
            elif exchange is None or exchange.done:
                self._serve(connection)
            else:
                connection.start(exchange)
            return
        exchange = exchange or self._next_waiting()
        if exchange is not None:
            kind: FailureKind = "tls" if isinstance(error, ssl.SSLError) else "connect"
            exchange.fail(kind, f"{type(error).__name__}: {error}")
        if not self._closed:
            self._open_wanted()

    # Serving

    def released(self, connection: Connection) -> None:
        self._serve(connection)

    def _serve(self, connection: Connection) -> None:
        if not connection.usable:
            connection.drop()
            return
        exchange = self._next_waiting()
        if exchange is not None:
            connection.start(exchange)
            return
        loop = asyncio.get_running_loop()
        self._idle.append((loop.time() + self._idle_timeout, connection))
        if self._idle_timer is None:
            self._idle_timer = loop.call_later(self._idle_timeout, self._on_idled)

    def lost(self, connection: Connection) -> None:
        self._forget(connection)
        if not self._closed:
            self._open_wanted()

    def replace(self, connection: Connection, exchange: Exchange) -> None:
        self._forget(connection)
        self._open(exchange)

    def _forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        for entry in self._idle:
            if entry[1] is connection:
                self._idle.remove(entry)
                break

    def _next_waiting(self) -> Exchange | None:
        while self._waiting:
            exchange = self._waiting.popleft()[1]
            if not exchange.done:
                return exchange
        return None

    # Time

    def _on_waited(self) -> None:
        loop = asyncio.get_running_loop()
        self._waiting_timer = None
        while self._waiting and (self._waiting[0][1].done or self._waiting[0][0] <= loop.time()):
            exchange = self._waiting.popleft()[1]
            if self._opening:
                exchange.fail("connect", "no connection within the bound")
            else:
                exchange.fail("pool_exhausted", f"all {self._max_connections} connections stayed busy")
        if self._waiting:
            self._waiting_timer = loop.call_at(self._waiting[0][0], self._on_waited)

    def _on_idled(self) -> None:
        loop = asyncio.get_running_loop()
        self._idle_timer = None
        while self._idle and self._idle[0][0] <= loop.time():
            self._idle.popleft()[1].drop()
        if self._idle:
            self._idle_timer = loop.call_at(self._idle[0][0], self._on_idled)
