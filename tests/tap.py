"""Listens to what passes between a client and a server."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httptools


class Tap:
    """Stands before the upstream, passes all bytes on and keeps the body of each request by its `x-replay-id`."""

    def __init__(self) -> None:
        self.upstream_url = ""
        self.bodies: dict[str, bytes] = {}
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self) -> str:
        """Its own URL."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        await asyncio.wait_for(asyncio.gather(*self._connections), 10)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passing = asyncio.ensure_future(self._pass(reader, writer))
        self._connections.add(passing)
        passing.add_done_callback(self._connections.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(self.upstream_url)
        up_reader, up_writer = await asyncio.open_connection(parts.hostname, parts.port)
        parser = httptools.HttpRequestParser(Heard(self.bodies))
        await asyncio.gather(
            _pump(reader, up_writer, parser.feed_data), _pump(up_reader, writer, lambda data: None)
        )


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hear: Callable[[bytes], None]
) -> None:
    try:
        while data := await reader.read(65536):
            hear(data)
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@dataclass
class Heard:
    """The requests of one connection."""

    bodies: dict[str, bytes]
    name: str = ""
    pieces: list[bytes] = field(default_factory=list)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"x-replay-id":
            self.name = value.decode()

    def on_body(self, data: bytes) -> None:
        self.pieces.append(data)

    def on_message_complete(self) -> None:
        if self.name:
            self.bodies[self.name] = b"".join(self.pieces)
        self.name = ""
        self.pieces.clear()
