"""An upstream that says exactly the bytes it is told to, when it is told to."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable

from proxy.upstream.origin import Origin

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Peer:
    """One accepted connection."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def head(self) -> bytes:
        """The head of the next request. Raises IncompleteReadError where there is none."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> tuple[bytes, bytes]:
        """The next request's head and body."""
        head = await self.head()
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            body = b""
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
            return head, body
        _, found, rest = lower.partition(b"\r\ncontent-length: ")
        return head, await self.reader.readexactly(int(rest.partition(b"\r\n")[0])) if found else b""

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Ends the connection by a TCP reset."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Until the other side has closed."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass


Behaviour = Callable[[Peer], Awaitable[None]]


class RawServer:
    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._tasks: set[asyncio.Task[None]] = set()
        self.accepted = 0
        self.left = asyncio.Queue[int]()
        """The numbers of the connections whose behaviour came to its end."""

    async def start(self, tls: ssl.SSLContext | None = None, port: int = 0) -> Origin:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port, ssl=tls, backlog=1024)
        scheme = "https" if tls else "http"
        return Origin.parse(f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1")

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.create_task(self._serve(Peer(self.accepted, reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, peer: Peer) -> None:
        try:
            await self._behaviour(peer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            peer.writer.close()
            self.left.put_nowait(peer.number)

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def answering(*answers: bytes) -> Behaviour:
    """To each request the next of the answers, the last one again and again, until the client leaves."""

    async def behave(peer: Peer) -> None:
        turn = 0
        while True:
            await peer.request()
            await peer.say(answers[min(turn, len(answers) - 1)])
            turn += 1

    return behave


def saying_once(answer: bytes) -> Behaviour:
    """One answer, then the end of the connection."""

    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(answer)

    return behave
