"""Redis by pipelining: the commands of one event-loop iteration leave in one write on one connection to each server."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from config.redis_cluster import cluster_address
from proxy.pipeline.cluster import Cluster
from proxy.pipeline.node import Bounds, Door, Node
from proxy.pipeline.replies import Argument, RedisReplyError, RedisUnavailable, Reply

__all__ = ["Argument", "RedisPipeline", "RedisReplyError", "RedisUnavailable", "Reply", "Script"]

_NODES_TO_TRY: Final = 3


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the SHA-1 by which Redis knows it."""

    source: str
    sha1: str


class RedisPipeline:
    """One pipelined connection to Redis, or to each node of a cluster, behind a circuit breaker.

    The breaker is open while there is no connection: calls then fail at once. Each node has its own. `on_connect`
    callbacks run after each connect. Use it from the event loop that `connect` ran in.
    """

    def __init__(
        self, url: str, *, timeout: float = 0.25, connect_timeout: float = 1.0, max_outstanding: int = 10_000
    ) -> None:
        """`url` as redis-py has it: redis://[user:password@]host:port/db, rediss:// (TLS), unix://path?db=N; or of a
        cluster, see config/redis_cluster.py.

        `timeout` (seconds) bounds each answer, `connect_timeout` the transport and TLS. Raises ValueError for
        a URL that is none.
        """
        self._scripts: list[str] = []
        self._url = url
        self._bounds = bounds = Bounds(timeout, connect_timeout, max_outstanding)
        cluster = cluster_address(url)
        self._server: Node | Cluster = (
            Node(Door.of(url), bounds, self._scripts, self._connected)
            if cluster is None
            else Cluster(cluster, bounds, self._scripts, self._connected)
        )
        self._connection = self._server.connection
        self.on_connect: list[Callable[[], object]] = []

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, *, timeout: float) -> "AsyncIterator[RedisPipeline]":
        """Connected, or on its way to be; closed at the end."""
        made = cls(url, timeout=timeout)
        try:
            with suppress(RedisUnavailable):
                await made.connect()
            yield made
        finally:
            await made.close()

    @property
    def available(self) -> bool:
        """Whether it can be asked; of a cluster, whether any node can."""
        return self._server.available

    @property
    def is_cluster(self) -> bool:
        return isinstance(self._server, Cluster)

    async def connect(self) -> None:
        """Connects. Raises RedisUnavailable if that fails; attempts go on in the background until `close`."""
        await self._server.open()  # bounded by the timeouts of the handshake

    async def close(self) -> None:
        """Ends the connection; what is outstanding fails with RedisUnavailable."""
        await self._server.close()

    def script(self, source: str) -> Script:
        """A script that is loaded at every connect from now on."""
        self._scripts.append(source)
        return Script(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())

    def send(self, *args: Argument) -> asyncio.Future[Reply]:
        """Queues a command; it leaves at the end of this iteration of the event loop.

        Its second word is the key that says to which node of a cluster; one of a single word goes to any.
        The future brings the reply, RedisReplyError, or RedisUnavailable: after the bound, or when the
        connection is lost, and then nobody knows whether the command was executed. Cancelling the future
        doesn't take the command back. Raises RedisUnavailable at once where nothing can be sent.
        """
        return self._connection(args[1] if len(args) > 1 else b"").send(args)

    def send_by(self, key: Argument, *args: Argument) -> asyncio.Future[Reply]:
        """As `send`, for a command whose key is not its second word."""
        return self._connection(key).send(args)

    def send_script(
        self, script: Script, keys: Sequence[bytes | str], args: Sequence[Argument]
    ) -> asyncio.Future[Reply]:
        """As `send`, for a script, by its first key. One that Redis has forgotten is sent again once with its source.

        It had not run, so nothing runs twice; but it then runs after commands sent in between, and takes up
        to twice the bound.
        """
        return self._connection(keys[0] if keys else b"").send(
            ("EVALSHA", script.sha1, len(keys), *keys, *args), script.source
        )

    async def execute(self, *args: Argument) -> Reply:
        """`send`, awaited; the bound is that of `send`."""
        return await self.send(*args)

    async def publish(self, channel: str, message: str) -> None:
        """To whoever listens, at whichever node. Raises ConnectionError where none takes it."""
        for _ in range(_NODES_TO_TRY):
            try:
                await self.send_by(b"", "PUBLISH", channel, message)
            except (RedisUnavailable, RedisReplyError) as error:
                reason = error
            else:
                return
        raise ConnectionError(f"nobody passes the message on: {reason}")

    def subscriber(self) -> Redis:
        """A client for messages alone, for the caller to close. Nothing is retried by it: who listens must know that
        it did not. A cluster passes messages between its nodes, so it is one of those that can be reached now.

        Raises RedisUnavailable where none is known.
        """
        options: dict[str, Any] = {
            "socket_timeout": self._bounds.connect,
            "socket_connect_timeout": self._bounds.connect,
            "retry": Retry(NoBackoff(), 0),
        }
        if isinstance(self._server, Node):
            return Redis.from_url(self._url, **options)
        return self._server.client(**options)

    async def execute_all(self, commands: Mapping[str, Sequence[Argument]]) -> dict[str, Reply]:
        """Commands by their keys, all at once. In place of a reply stands the error of a command that failed."""
        outcomes: dict[str, Reply] = {}
        sent = {}
        for key, command in commands.items():
            try:
                sent[key] = self.send_by(key, *command)
            except RedisUnavailable as error:
                outcomes[key] = error
        replies = await asyncio.gather(*sent.values(), return_exceptions=True)
        return outcomes | dict(zip(sent, replies, strict=True))

    def _connected(self) -> None:
        loop = asyncio.get_running_loop()
        for callback in self.on_connect:
            loop.call_soon(callback)
