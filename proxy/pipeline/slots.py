"""Which node of a cluster a key lies on, as Redis Cluster tells it. No I/O."""

from binascii import crc_hqx
from typing import Final, NamedTuple

from config.redis_cluster import Endpoint
from proxy.pipeline.replies import Argument, RedisReplyError, Reply

SLOTS: Final = 16384
_UNKNOWN: Final = "?"


class Range(NamedTuple):
    """These slots, both ends included, lie at `owner`."""

    first: int
    last: int
    owner: Endpoint
    replicas: tuple[Endpoint, ...] = ()


def slot_of(key: Argument) -> int:
    """CRC16 of the key's hash tag, or of all of it where it has none."""
    name = key if isinstance(key, bytes) else str(key).encode()
    opening = name.find(b"{")
    if opening >= 0:
        closing = name.find(b"}", opening + 1)
        if closing > opening + 1:
            name = name[opening + 1 : closing]
    return crc_hqx(name, 0) % SLOTS


def ranges(reply: Reply, asked: str) -> list[Range]:
    """The answer to CLUSTER SLOTS. A node that does not know its own name is `asked`, the host that answered."""
    found = []
    for first, last, *nodes in reply:
        owner, *replicas = (_endpoint(host, port, asked) for host, port, *_ in nodes)
        if owner is not None:
            found.append(Range(first, last, owner, tuple(each for each in replicas if each is not None)))
    return found


def redirection(error: RedisReplyError, asked: str) -> tuple[int, Endpoint] | None:
    """Slot and node of `MOVED 3999 10.0.0.7:6381`, or of an ASK; None where the node has no name."""
    _, slot, address = str(error).split(" ")[:3]
    host, _, port = address.rpartition(":")
    owner = _endpoint(host.encode(), int(port), asked)
    return None if owner is None else (int(slot), owner)


def _endpoint(host: bytes | None, port: int, asked: str) -> Endpoint | None:
    name = host.decode() if host else asked
    return None if name == _UNKNOWN else Endpoint(name, port)
