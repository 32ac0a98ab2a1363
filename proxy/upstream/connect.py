"""The one place where a connection to an upstream is opened: straight, or through a web proxy."""

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from config.way_out import WebProxy
from proxy.upstream.origin import Origin

Connector: TypeAlias = Callable[
    [Origin, ssl.SSLContext | None, Callable[[], asyncio.Protocol]], Awaitable[None]
]

_MOST_OF_A_PROXY_HEAD: Final = 16 * 1024
_AGREES: Final = re.compile(rb"HTTP/1\.[01] 2\d\d[ \r]")


async def connect(
    origin: Origin, tls: ssl.SSLContext | None, factory: Callable[[], asyncio.Protocol]
) -> None:
    """Gives the protocol of `factory` a transport to `origin`. The caller sets the bound. Raises OSError."""
    transport, _ = await asyncio.get_running_loop().create_connection(
        factory, origin.host, origin.port, ssl=tls, server_hostname=origin.host if tls else None
    )
    transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def through(proxy: WebProxy, *, always_tunnel: bool = False) -> Connector:
    """A connector that goes through `proxy`: by a tunnel to a TLS origin, to the proxy itself for a plain one, whose
    requests then name the origin in their target. `always_tunnel`: by a tunnel to any origin, as WebSockets go."""

    async def connect_through(
        origin: Origin, tls: ssl.SSLContext | None, factory: Callable[[], asyncio.Protocol]
    ) -> None:
        if tls is None and not always_tunnel:
            await connect(Origin(proxy.host, proxy.port, False, ""), None, factory)
            return
        opened = await _dial(proxy)
        try:
            await _ask_for_tunnel(opened, proxy, origin)
            loop = asyncio.get_running_loop()
            await loop.create_connection(
                factory, sock=opened, ssl=tls, server_hostname=origin.host if tls else None
            )
        except BaseException:
            opened.close()
            raise

    return connect_through


async def _dial(proxy: WebProxy) -> socket.socket:
    """A connected socket that does not block."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
    refused = OSError(f"{proxy.host} has no address")
    for family, kind, protocol, _, address in found:
        opened = socket.socket(family, kind, protocol)
        try:
            opened.setblocking(False)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(opened, address)
        except OSError as error:
            opened.close()
            refused = error
        except BaseException:
            opened.close()
            raise
        else:
            return opened
    raise refused


async def _ask_for_tunnel(opened: socket.socket, proxy: WebProxy, origin: Origin) -> None:
    """Raises ConnectionError unless the proxy agrees. It sends nothing of the origin's before we speak to that, so
    what comes is its head alone."""
    loop = asyncio.get_running_loop()
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    place = f"{host}:{origin.port}".encode("ascii")
    lines = [b"CONNECT %b HTTP/1.1" % place, b"host: " + place]
    if proxy.authorization is not None:
        lines.append(b"proxy-authorization: " + proxy.authorization)
    await loop.sock_sendall(opened, b"\r\n".join(lines) + b"\r\n\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = await loop.sock_recv(opened, 4096)
        head += piece
        if not piece or len(head) > _MOST_OF_A_PROXY_HEAD:
            raise ConnectionError("the web proxy did not answer the wish for a tunnel")
    if not _AGREES.match(head):
        shown = head.partition(b"\r\n")[0][:60].decode("ascii", "replace")
        raise ConnectionError(f"the web proxy refused the tunnel: {shown}")
