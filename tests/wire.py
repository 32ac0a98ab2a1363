"""A client on a bare socket: says when it reads, and how it leaves."""

import asyncio
import socket
import struct
from typing import Any
from urllib.parse import urlsplit

import orjson


class WireClient:
    """One HTTP/1.1 request, written by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def post(cls, url: str, path: str, key: str, body: dict[str, Any], **headers: str) -> "WireClient":
        """Connects and sends a whole request."""
        client = await cls.connect(url)
        content = orjson.dumps(body)
        lines = {
            "host": "tollkeeper",
            "authorization": f"Bearer {key}",
            "content-type": "application/json",
            "content-length": str(len(content)),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        client.writer.write(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + content)
        await client.writer.drain()
        return client

    @classmethod
    async def connect(cls, url: str) -> "WireClient":
        parts = urlsplit(url)
        return cls(*await asyncio.open_connection(parts.hostname, parts.port))

    async def read_until(self, mark: bytes) -> bytes:
        """What came up to and with `mark`."""
        async with asyncio.timeout(20):
            return await self.reader.readuntil(mark)

    async def read_all(self) -> bytes:
        """Everything until the server closes."""
        async with asyncio.timeout(20):
            return await self.reader.read(-1)

    def leave(self, *, abruptly: bool = False) -> None:
        """Closes the connection; abruptly: with a reset, as a crashed client does."""
        if abruptly:
            sock = self.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.close()
