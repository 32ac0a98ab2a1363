"""A proxy whose upstream says exactly the bytes that a test tells it to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.proxy.upstream.raw_server import Behaviour, Peer, RawServer, answering
from tests.system import System, Tenant
from tests.wire import WireClient

CHAT = "/v1/chat/completions"
BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}


class Upstream:
    """`heads` are those of the requests that came, `accepted` how many connections."""

    def __init__(self, server: RawServer, heads: list[bytes]) -> None:
        self._server = server
        self.heads = heads

    @property
    def accepted(self) -> int:
        return self._server.accepted


@asynccontextmanager
async def upstream(
    edge: System, *answers: bytes, behaviour: Behaviour | None = None
) -> AsyncIterator[Upstream]:
    """Answers the requests in turn, the last answer again and again; or behaves as told. An answer to HEAD, or without
    a length, is followed by nothing, so that the connection stays."""
    heads: list[bytes] = []
    behave = behaviour or answering(*answers)

    async def noting(peer: Peer) -> None:
        read = peer.head

        async def head() -> bytes:
            heads.append(await read())
            return heads[-1]

        peer.head = head  # type: ignore[method-assign]
        await behave(peer)

    server = RawServer(noting)
    await server.start(port=int(edge.upstream_url.rpartition(":")[2]))
    try:
        yield Upstream(server, heads)
    finally:
        await server.stop()


async def exchanged(edge: System, tenant: Tenant, method: str, path: str, body: bytes | None = None) -> bytes:
    """All that a client gets on the wire for one request, its connection closed after it."""
    client = await WireClient.connect(edge.proxy_url)
    client.writer.write(written(tenant, method, path, body, "connection: close\r\n"))
    try:
        return await client.read_all()
    finally:
        client.leave()


def written(tenant: Tenant, method: str, path: str, body: bytes | None = None, more: str = "") -> bytes:
    length = "" if body is None else f"content-length: {len(body)}\r\n"
    head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {tenant.key}\r\n{length}{more}\r\n"
    return head.encode() + (body or b"")


def parsed(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers by lower name, and what follows the head as it came."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(": ")[::2] for line in lines]
    return int(first.split(" ")[1]), {name.lower(): value for name, value in pairs}, rest


async def row_of(edge: System, tenant: Tenant) -> dict[str, Any]:
    [row] = await edge.records(tenant, 1)
    return row
