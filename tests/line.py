"""A line between a client and a server that can be slow, frozen, cut or reset."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PIECE: Final = 65536
_LINGER: Final = struct.pack("ii", 1, 0)
"""Closing then resets the connection."""


class Line:
    """Listens on `port` of this machine and passes bytes on to a socket at `path`. Runs in a thread of its own: a test
    may block."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._delay = 0.0
        self._is_cut = False
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = self._run(self._listen)

    def slow(self, seconds: float) -> None:
        """Everything takes so much longer, each way."""
        self._delay = seconds

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Connections stay and are accepted, and nothing passes."""
        self._loop.call_soon_threadsafe(self._open.clear)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._open.set)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """All connections end, and new ones end at once."""
        self._is_cut = True
        self.reset()
        try:
            yield
        finally:
            self._is_cut = False

    def reset(self) -> None:
        """All connections are reset; new ones pass."""
        self._run(self._reset)

    def close(self) -> None:
        self._is_cut = True
        self._run(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _run(self, step: Callable[[], Coroutine[None, None, int]]) -> int:
        return asyncio.run_coroutine_threadsafe(step(), self._loop).result(10)

    async def _listen(self) -> int:
        self._open.set()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _end(self) -> int:
        self._server.close()
        await self._reset()
        self._open.set()
        # What waits for an end of a connection finds it now.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=5)
        return 0

    async def _reset(self) -> int:
        for writer in self._writers:
            if (sock := writer.get_extra_info("socket")) is not None and sock.family == socket.AF_INET:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
            writer.transport.abort()
        return 0

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        await self._open.wait()
        try:
            up_reader, up_writer = await asyncio.open_unix_connection(self._path)
        except OSError:
            writer.transport.abort()
            return
        ends = (writer, up_writer)
        self._writers.update(ends)
        await asyncio.wait(
            [
                asyncio.ensure_future(self._pass(reader, up_writer)),
                asyncio.ensure_future(self._pass(up_reader, writer)),
            ],
            return_when=asyncio.FIRST_COMPLETED,
        )
        for end in ends:
            end.close()
        self._writers.difference_update(ends)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(_PIECE):
                await self._open.wait()
                if self._delay:
                    await asyncio.sleep(self._delay)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
