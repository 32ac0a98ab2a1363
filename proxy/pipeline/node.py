"""One server, kept connected behind a circuit breaker."""

import asyncio
import random
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from redis.asyncio.connection import SSLConnection, parse_url

from config.redis_cluster import ClusterAddress, Endpoint
from proxy.pipeline.connection import Connection, Divert
from proxy.pipeline.replies import Argument, Command, RedisReplyError, RedisUnavailable

_FIRST_BACKOFF: Final = 0.02
_LAST_BACKOFF: Final = 1.0


@dataclass(frozen=True, slots=True)
class Door:
    """Where a server listens, and what it asks for first. `path` is a Unix socket, and then there is no host."""

    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    tls: bool = False
    entry: tuple[Command, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, url: str) -> "Door":
        """Of a URL as redis-py has it. Raises ValueError for a URL that is none."""
        address: dict[str, Any] = dict(parse_url(url))
        entry = _login(address.get("username"), address.get("password"))
        if "db" in address:
            entry = (*entry, ("SELECT", address["db"]))
        return cls(
            address.get("host", "localhost"),
            address.get("port", 6379),
            address.get("path"),
            address.get("connection_class") is SSLConnection,
            entry,
        )

    @classmethod
    def of_node(cls, cluster: ClusterAddress, at: Endpoint) -> "Door":
        return cls(at.host, at.port, tls=cluster.tls, entry=_login(cluster.username, cluster.password))


def _login(username: str | None, password: str | None) -> tuple[Command, ...]:
    if password is None:
        return ()
    return (("AUTH", password),) if username is None else (("AUTH", username, password),)


@dataclass(frozen=True, slots=True)
class Bounds:
    """In seconds: `answer` for each answer, `connect` for the transport and TLS. `outstanding` is the most commands
    that may wait on one connection."""

    answer: float
    connect: float
    outstanding: int


class Node:
    """The breaker is open while there is no connection. A task of ours reconnects with backoff; the breaker closes once
    a new connection has answered PING. `scripts` are loaded at each connect, then `connected` is called."""

    def __init__(
        self,
        door: Door,
        bounds: Bounds,
        scripts: Sequence[str],
        connected: Callable[[], object],
        divert: Divert | None = None,
    ) -> None:
        self.door = door
        self._bounds = bounds
        self._scripts = scripts
        self._connected = connected
        self._divert = divert
        self._connection: Connection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self.opened: asyncio.Future[None]
        """Of `open`: how the first attempt to connect ended."""

    @property
    def available(self) -> bool:
        return self._connection is not None and self._connection.alive

    def connection(self, _key: Argument = b"") -> Connection:
        """The one there is. Raises RedisUnavailable."""
        if self._connection is None or not self._connection.alive:
            raise RedisUnavailable("Redis is not connected")
        return self._connection

    def open(self) -> asyncio.Future[None]:
        """Begins to connect, for ever until `close`. What it returns fails with RedisUnavailable if the first attempt
        does, which the bounds end."""
        if self._keeper is not None:
            raise RuntimeError("connect was called before")
        self.opened = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep(self.opened), name="redis keeper")
        return self.opened

    async def close(self) -> None:
        """Ends the connection; what is outstanding fails with RedisUnavailable."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper], timeout=self._bounds.connect)
        if self._connection is not None:
            self._connection.fail("the connection to Redis was closed by us")
            self._connection = None

    async def _keep(self, first: asyncio.Future[None]) -> None:
        loop = asyncio.get_running_loop()
        backoff = _FIRST_BACKOFF
        while True:
            try:
                connection = await self.dial()
            except (OSError, ValueError, RedisUnavailable, RedisReplyError) as error:
                if not first.done():
                    first.set_exception(RedisUnavailable(f"cannot connect to Redis: {error}"))
            else:
                since = loop.time()
                self._connection = connection
                self._connected()
                if not first.done():
                    first.set_result(None)
                await connection.lost
                # A Redis that answers PING and nothing else must not be asked again and again.
                if loop.time() - since > _LAST_BACKOFF:
                    backoff = _FIRST_BACKOFF
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311
            backoff = min(2 * backoff, _LAST_BACKOFF)

    async def dial(self) -> Connection:
        """A connection of its own to this server, for the caller to fail when it is done.

        Raises OSError, ValueError, RedisUnavailable, RedisReplyError.
        """
        connection = Connection(self._bounds.answer, self._bounds.outstanding, self._divert)
        try:
            async with asyncio.timeout(self._bounds.connect):
                await self._reach(connection)
            commands = [
                *self.door.entry,
                *(("SCRIPT", "LOAD", script) for script in self._scripts),
                ("PING",),
            ]
            await asyncio.gather(*[connection.send(command) for command in commands])
        except BaseException:
            connection.fail("the handshake with Redis failed")
            raise
        return connection

    async def _reach(self, connection: Connection) -> None:
        loop, door = asyncio.get_running_loop(), self.door
        if door.path is not None:
            await loop.create_unix_connection(lambda: connection, door.path)
            return
        tls = ssl.create_default_context() if door.tls else None
        transport, _ = await loop.create_connection(lambda: connection, door.host, door.port, ssl=tls)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
