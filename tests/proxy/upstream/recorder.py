"""A sink that writes down what it is told."""

import asyncio

from proxy.upstream.exchange import Exchange
from proxy.upstream.failure import UpstreamFailure
from proxy.upstream.request import Header


class Recorder:
    def __init__(self) -> None:
        self.events: list[str] = []
        self.status = 0
        self.reason = b""
        self.headers: list[Header] = []
        self._pieces: list[bytes] = []
        self.failure: UpstreamFailure | None = None
        self.responded = asyncio.Event()
        self.arrived = asyncio.Event()
        self.done = asyncio.Event()
        self.exchange: Exchange | None = None

    @property
    def body(self) -> bytes:
        return b"".join(self._pieces)

    def on_response(self, status: int, reason: bytes, headers: list[Header]) -> None:
        self.events.append("response")
        self.status, self.reason, self.headers = status, reason, headers
        self.responded.set()

    def on_body(self, data: bytes) -> None:
        if self.events[-1] != "body":
            self.events.append("body")
        self._pieces.append(data)
        self.arrived.set()

    def on_end(self) -> None:
        self.events.append("end")
        self.done.set()

    def on_failure(self, error: UpstreamFailure) -> None:
        self.events.append("failure")
        self.failure = error
        self.done.set()

    async def ended(self) -> "Recorder":
        """Waits for the good end."""
        await asyncio.wait_for(self.done.wait(), 10)
        assert self.failure is None, self.failure
        return self

    async def failed(self) -> UpstreamFailure:
        await asyncio.wait_for(self.done.wait(), 10)
        assert self.failure is not None, self.events
        return self.failure
