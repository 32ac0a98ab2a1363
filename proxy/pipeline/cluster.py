"""A Redis Cluster: one connection to each node, and the map that says where a key lies.

Each node has a breaker of its own, so that one that is gone fails its own keys alone. The map is looked at again when
a node shows a key to another, and all the while that a node can't be reached: that is how a promoted replica is found.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any, Final

from redis.asyncio import Redis

from config.redis_cluster import ClusterAddress, Endpoint
from proxy.pipeline.connection import Connection, Sent
from proxy.pipeline.node import Bounds, Door, Node
from proxy.pipeline.replies import Argument, RedisReplyError, RedisUnavailable, Reply
from proxy.pipeline.slots import SLOTS, ranges, redirection, slot_of

_LOOK_SECONDS: Final = 0.25
"""How often the map is looked at while a node can't be reached."""
_PAUSE: Final = 0.005
"""Between the hops of a command that nodes show to one another, after the first."""
_NOT_NOW: Final = frozenset({"CLUSTERDOWN", "MASTERDOWN", "LOADING", "READONLY"})

_SCRIPTS: Final = frozenset({"EVALSHA", "EVAL"})


class Cluster:
    """As a Node, for all of them together."""

    def __init__(
        self,
        address: ClusterAddress,
        bounds: Bounds,
        scripts: Sequence[str],
        connected: Callable[[], object],
    ) -> None:
        self._address = address
        self._bounds = bounds
        self._scripts = scripts
        self._connected = connected
        self._nodes: dict[Endpoint, Node] = {}
        self._owners: list[Node | None] = [None] * SLOTS
        self._in_doubt = False
        self._keeper: asyncio.Task[None] | None = None

    @property
    def available(self) -> bool:
        """Whether any of it can be reached."""
        return any(node.available for node in self._nodes.values())

    def connection(self, key: Argument = b"") -> Connection:
        """To the node that has the key, or to any for no key. Raises RedisUnavailable."""
        owner = self._owners[slot_of(key)] if key != b"" else self._any()
        if owner is None:
            self._in_doubt = True
            raise RedisUnavailable("no node of the cluster is known to have this key")
        return owner.connection()

    def open(self) -> asyncio.Future[None]:
        """As Node.open: the first attempt fails only where no node can be reached."""
        if self._keeper is not None:
            raise RuntimeError("connect was called before")
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep(first), name="redis cluster keeper")
        return first

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper], timeout=self._bounds.connect)
        await asyncio.gather(*(node.close() for node in self._nodes.values()))

    def client(self, **options: Any) -> Redis:
        """Of redis-py's, to a node that can be reached. Raises RedisUnavailable."""
        node = self._any()
        if node is None:
            raise RedisUnavailable("no node of the cluster can be reached")
        address = self._address
        return Redis(
            host=node.door.host,
            port=node.door.port,
            username=address.username,
            password=address.password,
            ssl=address.tls,
            **options,
        )

    def _any(self) -> Node | None:
        reachable = [node for node in self._nodes.values() if node.available]
        return random.choice(reachable) if reachable else None  # noqa: S311

    async def _keep(self, first: asyncio.Future[None]) -> None:
        while True:
            self._in_doubt = False
            try:
                await self._look()
            except (
                RedisUnavailable,
                ValueError,
                TypeError,
            ) as error:  # or what tells of it speaks in riddles
                self._in_doubt = True
                if not first.done():
                    first.set_exception(RedisUnavailable(f"cannot learn of the cluster: {error}"))
            if not first.done():
                if self.available:
                    first.set_result(None)
                else:
                    first.set_exception(RedisUnavailable("no node that the cluster names can be reached"))
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                if self._in_doubt or not all(node.available for node in self._nodes.values()):
                    break

    async def _look(self) -> None:
        """Brings the map up to date. Raises RedisUnavailable where no node tells of it."""
        asked, reply = await self._slots()
        owners: list[Node | None] = [None] * SLOTS
        named = set()
        for first, last, endpoint, _ in ranges(reply, asked):
            named.add(endpoint)
            owners[first : last + 1] = [self._node(endpoint)] * (last - first + 1)
        # What a node takes over is left to the one before until there is a connection; its bounds end this.
        if opening := [node.opened for node in self._nodes.values() if not node.opened.done()]:
            await asyncio.wait(opening)
        self._owners = owners
        for endpoint, node in list(self._nodes.items()):
            # One that has no slots yet may be about to be given some: it stays while it is connected.
            if endpoint not in named and not node.available and node.opened.done():
                del self._nodes[endpoint]
                await node.close()

    async def _slots(self) -> tuple[str, Reply]:
        """The answer to CLUSTER SLOTS, and the host that gave it."""
        known = [node for node in self._nodes.values() if node.available]
        for node in random.sample(known, len(known)):
            try:
                return node.door.host, await node.connection().send(("CLUSTER", "SLOTS"))
            except (RedisUnavailable, RedisReplyError):
                continue
        reason: Exception | None = None
        for seed in self._address.seeds:
            try:
                connection = await Node(
                    Door.of_node(self._address, seed), self._bounds, (), self._connected
                ).dial()
            except (OSError, ValueError, RedisUnavailable, RedisReplyError) as error:
                reason = error
                continue
            try:
                return seed.host, await connection.send(("CLUSTER", "SLOTS"))
            except (RedisUnavailable, RedisReplyError) as error:
                reason = error
            finally:
                connection.fail("the map of the cluster has been asked for")
        raise RedisUnavailable(f"no node of the cluster can be asked: {reason}")

    def _node(self, endpoint: Endpoint) -> Node:
        """The node there; one that was not known begins to be connected to."""
        node = self._nodes.get(endpoint)
        if node is None:
            divert = partial(self._divert, endpoint.host)
            node = Node(
                Door.of_node(self._address, endpoint), self._bounds, self._scripts, self._connected, divert
            )
            self._nodes[endpoint] = node
            node.open().add_done_callback(lambda opened: opened.exception())
        return node

    def _divert(self, asked: str, sent: Sent, error: RedisReplyError) -> bool:
        """Follows MOVED and ASK, and tries again what waits for a slot that is on its way."""
        future, command, source, since = sent
        code, now = error.code, monotonic()
        if code in _NOT_NOW or (since and now - since > self._bounds.answer):
            self._in_doubt = True
            _fail(future, f"the cluster does not serve this key now: {code}")
            return True
        again = (future, command, source, since or now)
        if code == "TRYAGAIN" and command[0] in _SCRIPTS:
            # Some of its keys have gone and others have not. Its first one says where it belongs.
            self._later(lambda: self._send(self._owners[slot_of(command[3])], again, asking=False))
            return True
        if code not in ("MOVED", "ASK"):
            return False
        shown = redirection(error, asked)
        if shown is None:
            self._in_doubt = True
            _fail(future, "the cluster shows this key to a node without a name")
            return True
        slot, endpoint = shown
        node = self._node(endpoint)
        if code == "MOVED":
            self._owners[slot] = node
            self._in_doubt = True
        if since:
            self._later(lambda: self._send(node, again, asking=code == "ASK"))
        else:
            self._send(node, again, asking=code == "ASK")
        return True

    def _later(self, step: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(_PAUSE, step)

    def _send(self, node: Node | None, sent: Sent, *, asking: bool) -> None:
        future, since = sent[0], sent[3]
        if node is None:
            _fail(future, "no node of the cluster has this key")
        elif not node.opened.done() and monotonic() - since < self._bounds.answer:
            self._later(lambda: self._send(node, sent, asking=asking))
        elif not node.available:
            _fail(future, "the node of the cluster that has this key is not connected")
        else:
            connection = node.connection()
            if asking:
                connection.queue((_nobody_waits(), ("ASKING",), None, 0.0))
            connection.queue(sent)


def _fail(future: "asyncio.Future[Reply]", reason: str) -> None:
    if not future.done():
        future.set_exception(RedisUnavailable(reason))


def _nobody_waits() -> "asyncio.Future[Reply]":
    future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    future.cancel()
    return future
