"""Ports of this machine."""

import socket
from collections.abc import Callable

from runtime import ports


def free_ports(count: int) -> list[int]:
    reserved = [ports.reserve("127.0.0.1", 0, option="port") for _ in range(count)]
    numbers = [ports.number(each) for each in reserved]
    for each in reserved:
        each.close()
    return numbers


def accepts(port: int) -> Callable[[int], bool]:
    """A probe for Program.ready: someone listens."""

    def ready(_pid: int) -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    return ready
