"""The one place where a connection to an upstream is opened; replace it to go through a proxy."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from proxy.upstream.origin import Origin

Connector: TypeAlias = Callable[
    [Origin, ssl.SSLContext | None, Callable[[], asyncio.Protocol]], Awaitable[None]
]


async def connect(
    origin: Origin, tls: ssl.SSLContext | None, factory: Callable[[], asyncio.Protocol]
) -> None:
    """Gives the protocol of `factory` a transport to `origin`. The caller sets the bound. Raises OSError."""
    transport, _ = await asyncio.get_running_loop().create_connection(
        factory, origin.host, origin.port, ssl=tls, server_hostname=origin.host if tls else None
    )
    transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
