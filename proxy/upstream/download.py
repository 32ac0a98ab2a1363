"""An answer that we ask for ourselves: a page, an object, a file. Read piece by piece, at the reader's own pace."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from proxy.upstream.exchange import Sink
from proxy.upstream.failure import UpstreamFailure
from proxy.upstream.forwarding import Forwarding
from proxy.upstream.request import Header

_WAITING: Final = 256 * 1024
"""Bytes that may wait for the reader before the upstream is paused."""


class DownloadError(Exception):
    """There is no (more) answer. Its text says why."""

    def __init__(self, failure: UpstreamFailure) -> None:
        super().__init__(failure.kind)
        self.failure = failure


class Download:
    """The sink of a forwarding, and its handle. Whoever waits for it bounds the wait."""

    def __init__(self, forward: Callable[[Sink], Forwarding]) -> None:
        """Starts at once."""
        self.status = 0
        self.headers: list[Header] = []
        self._waiting: list[bytes] = []
        self._size = 0
        self._paused = False
        self._ended = False
        self._failure: UpstreamFailure | None = None
        self._changed = asyncio.Event()
        self._forwarding = forward(self)

    @property
    def upstream(self) -> str:
        return self._forwarding.upstream

    def close(self) -> None:
        self._forwarding.close()

    async def begun(self) -> int:
        """The status, once the head has come. Raises DownloadError."""
        while not self.status:
            await self._change()
        return self.status

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body. Raises DownloadError."""
        while True:
            if self._waiting:
                data = b"".join(self._waiting)
                self._waiting.clear()
                self._size = 0
                if self._paused:
                    self._paused = False
                    self._forwarding.resume()
                yield data
            elif self._ended:
                return
            else:
                await self._change()

    async def whole(self, most: int) -> bytes:
        """All of the body. Raises DownloadError, and ValueError where it is more than `most` bytes."""
        pieces, size = [], 0
        async for piece in self.pieces():
            pieces.append(piece)
            size += len(piece)
            if size > most:
                self.close()
                raise ValueError(f"an answer of the upstream has more than {most} bytes")
        return b"".join(pieces)

    async def _change(self) -> None:
        if self._failure is not None:
            raise DownloadError(self._failure)
        self._changed.clear()
        await self._changed.wait()

    # What the upstream tells

    def on_response(self, status: int, reason: bytes, headers: list[Header]) -> None:
        self.status, self.headers = status, headers
        self._changed.set()

    def on_body(self, data: bytes) -> None:
        self._waiting.append(data)
        self._size += len(data)
        if self._size > _WAITING and not self._paused:
            self._paused = True
            self._forwarding.pause()
        self._changed.set()

    def on_end(self) -> None:
        self._ended = True
        self._changed.set()

    def on_failure(self, error: UpstreamFailure) -> None:
        self._failure = error
        self._changed.set()
