"""The address of a Redis or Valkey Cluster: redis+cluster://[user:password@]host:port[,host:port...].

Some of its nodes, from which a client learns of the others; rediss+cluster:// speaks TLS to all of them.
"""

from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote

_SCHEMES = {"redis+cluster": False, "rediss+cluster": True}
_PORT = 6379


class Endpoint(NamedTuple):
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    seeds: tuple[Endpoint, ...]
    tls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def cluster_address(url: str) -> ClusterAddress | None:
    """What the URL says; None for one that names a single server.

    Raises ValueError, with a message that goes on from the name of the setting and repeats nothing of the URL.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in _SCHEMES:
        return None
    if "?" in rest or "#" in rest:
        raise ValueError("names a cluster and can't have a query or a fragment")
    hosts, _, path = rest.partition("/")
    if path:
        raise ValueError("names a cluster, which has no numbered databases: end it after the hosts")
    login, _, hosts = hosts.rpartition("@")
    username, _, password = (unquote(part) for part in login.partition(":"))
    return ClusterAddress(
        tuple(_endpoint(host) for host in hosts.split(",")),
        _SCHEMES[scheme],
        username or None,
        password or None,
    )


def _endpoint(text: str) -> Endpoint:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(_PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("names a cluster and must list its hosts as host:port, parted by commas")
    return Endpoint(host, int(port))
