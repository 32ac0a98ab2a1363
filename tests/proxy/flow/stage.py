"""A proxy before a played upstream, and clients that send and take as slowly as they like."""

from dataclasses import dataclass, field
from pathlib import Path

from tests.proxy.upstream.raw_server import Behaviour, RawServer
from tests.system import System, Tenant
from tests.wire import WireClient

MEBIBYTE = 1024 * 1024
LARGE = 96 * MEBIBYTE
AHEAD = 24 * MEBIBYTE
"""What the kernel's buffers may hold of four sockets, and the proxy's own."""
MORE_MEMORY = 24 * 1024
"""Kibibytes that the proxy may grow by while a large body passes."""
BOUNDARY = b"a-boundary-of-the-tests"
HEAD = b'--%b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n' % BOUNDARY
PURPOSE = b'\r\n--%b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data' % BOUNDARY
END = b"\r\n--%b--\r\n" % BOUNDARY
PIECE = bytes(64 * 1024)
MADE = b'{"id":"file-1","object":"file","bytes":1,"purpose":"user_data"}'
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(MADE), MADE)


@dataclass
class Stage:
    """A data plane before a played upstream, which behaves as the test says."""

    house: System
    server: RawServer
    behave: Behaviour
    tenant: Tenant
    heads: list[bytes] = field(default_factory=list)

    def memory(self) -> int:
        """Kibibytes of the proxy that are in memory, at the most since it was asked last."""
        process = Path(f"/proc/{self.house.children['proxy'].pid}")
        status = (process / "status").read_text()
        (process / "clear_refs").write_text("5")
        return int(status.partition("VmHWM:")[2].split()[0])


async def begin(
    stage: Stage,
    path: str,
    *headers: bytes,
    method: bytes = b"POST",
    key: str | None = None,
    boundary: bytes = BOUNDARY,
) -> WireClient:
    """The head of an upload, or of a GET."""
    client = await WireClient.connect(stage.house.proxy_url)
    lines = [
        b"host: x",
        b"authorization: Bearer " + (key or stage.tenant.key).encode(),
        *((b"content-type: multipart/form-data; boundary=" + boundary,) if method == b"POST" else ()),
        *headers,
    ]
    client.writer.write(b"%b %b HTTP/1.1\r\n%b\r\n\r\n" % (method, path.encode(), b"\r\n".join(lines)))
    return client


def framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
