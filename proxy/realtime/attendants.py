"""All calls that one process attends to."""

import asyncio
from typing import Final

_LAST_SECONDS: Final = 5.0
"""How long hanging up may take when the process stops."""


class Attendants:
    """Owns those of one process."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def stopping(self) -> asyncio.Event:
        return self._stopping

    def add(self, task: "asyncio.Task[None]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, patience: float) -> None:
        """Every call comes to its end, after the response under way if that does not take longer than `patience`."""
        self._stopping.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience + _LAST_SECONDS)
            for task in late:
                task.cancel()
