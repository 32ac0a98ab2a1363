"""What the upstream has brought and the client has not been handed yet."""

import asyncio
from collections import deque
from typing import Final

HIGH_WATER: Final = 64 * 1024
"""Bytes waiting for the client above which the upstream is read no further."""


class Outbox:
    """Filled by callbacks, emptied by one coroutine. `put` says when it is full enough to stop reading."""

    __slots__ = ("_changed", "_loop", "_pieces", "size")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pieces: deque[bytes] = deque()
        self.size = 0
        """Bytes that wait."""
        self._changed: asyncio.Future[None] | None = None

    def put(self, data: bytes) -> bool:
        """Whether the outbox is over its high water now."""
        self._pieces.append(data)
        self.size += len(data)
        self.wake()
        return self.size > HIGH_WATER

    def wake(self) -> None:
        """Lets the coroutine look again."""
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    async def changed(self) -> None:
        """Waits for the next `put` or `wake`. The bound is the caller's: upstream time-outs and the watch."""
        self._changed = self._loop.create_future()
        try:
            await self._changed
        finally:
            self._changed = None

    def peek(self) -> bytes:
        """As `take`, and all goes on waiting."""
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def take(self) -> bytes:
        """All that waits, in one piece."""
        if len(self._pieces) == 1:
            data = self._pieces.popleft()
        else:
            data = b"".join(self._pieces)
            self._pieces.clear()
        self.size = 0
        return data

    def drop(self) -> None:
        self._pieces.clear()
        self.size = 0
