"""Redis by pipelining: the commands of one event-loop iteration leave in one write on one connection to each server."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from proxy.pipeline.node import Bounds, Door, Node
from proxy.pipeline.replies import Argument, RedisReplyError, RedisUnavailable, Reply

__all__ = ["Argument", "RedisPipeline", "RedisReplyError", "RedisUnavailable", "Reply", "Script"]


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the SHA-1 by which Redis knows it."""

    source: str
    sha1: str


class RedisPipeline:
    """One pipelined connection to Redis behind a circuit breaker.

    The breaker is open while there is no connection: calls then fail at once. `on_connect` callbacks run
    after each connect. Use it from the event loop that `connect` ran in.
    """

    def __init__(
        self, url: str, *, timeout: float = 0.25, connect_timeout: float = 1.0, max_outstanding: int = 10_000
    ) -> None:
        """`url` as redis-py has it: redis://[user:password@]host:port/db, rediss:// (TLS), unix://path?db=N.

        `timeout` (seconds) bounds each answer, `connect_timeout` the transport and TLS. Raises ValueError for
        a URL that is none.
        """
        self._scripts: list[str] = []
        bounds = Bounds(timeout, connect_timeout, max_outstanding)
        self._server = Node(Door.of(url), bounds, self._scripts, self._connected)
        self._connection = self._server.connection
        self.on_connect: list[Callable[[], object]] = []

    @property
    def available(self) -> bool:
        return self._server.available

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

        The future brings the reply, RedisReplyError, or RedisUnavailable: after the bound, or when the
        connection is lost, and then nobody knows whether the command was executed. Cancelling the future
        doesn't take the command back. Raises RedisUnavailable at once where nothing can be sent.
        """
        return self._connection().send(args)

    def send_script(
        self, script: Script, keys: Sequence[bytes | str], args: Sequence[Argument]
    ) -> asyncio.Future[Reply]:
        """As `send`, for a script. One that Redis has forgotten is sent again once with its source.

        It had not run, so nothing runs twice; but it then runs after commands sent in between, and takes up
        to twice the bound.
        """
        rest = (len(keys), *keys, *args)
        return self._connection().send(("EVALSHA", script.sha1, *rest), ("EVAL", script.source, *rest))

    async def execute(self, *args: Argument) -> Reply:
        """`send`, awaited; the bound is that of `send`."""
        return await self.send(*args)

    def _connected(self) -> None:
        loop = asyncio.get_running_loop()
        for callback in self.on_connect:
            loop.call_soon(callback)
