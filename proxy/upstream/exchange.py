"""One request and its answer."""

from typing import Final, Protocol

from proxy.upstream.failure import FailureKind, UpstreamFailure
from proxy.upstream.request import Body, Header


class Sink(Protocol):
    """Told of an answer, in this order; exactly one of `on_end` and `on_failure` comes last."""

    def on_response(self, status: int, reason: bytes, headers: list[Header]) -> None:
        """The head of the final response; names in lower case."""

    def on_body(self, data: bytes) -> None:
        """A piece of the body, without its framing."""

    def on_end(self) -> None:
        """The answer is complete."""

    def on_failure(self, error: UpstreamFailure) -> None:
        """There will be no (more) answer."""


class _Nobody:
    def on_response(self, status: int, reason: bytes, headers: list[Header]) -> None: ...

    def on_body(self, data: bytes) -> None: ...

    def on_end(self) -> None: ...

    def on_failure(self, error: UpstreamFailure) -> None: ...


NOBODY: Final = _Nobody()
"""The sink of what is over."""


class Carrier(Protocol):
    """What carries an exchange, as far as the exchange needs it."""

    def drop(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Exchange:
    """The caller's handle of a running exchange."""

    __slots__ = (
        "body",
        "carrier",
        "done",
        "head",
        "is_head",
        "paused",
        "response_started",
        "sent",
        "sink",
    )

    def __init__(self, head: bytes, body: Body, sink: Sink, *, is_head: bool) -> None:
        self.head = head
        self.body = body
        self.sink = sink
        self.is_head = is_head
        self.carrier: Carrier | None = None
        self.done = False
        self.paused = False
        self.sent = False
        self.response_started = False

    @property
    def replayable(self) -> bool:
        return self.body is None or isinstance(self.body, bytes)

    def close(self) -> None:
        """Gives up: the upstream connection is closed at once, and the sink hears nothing more."""
        if self.done:
            return
        self.done = True
        if self.carrier is not None:
            self.carrier.drop()

    def pause(self) -> None:
        """Stops reading from the upstream; what was read already still reaches the sink."""
        self.paused = True
        if self.carrier is not None:
            self.carrier.pause()

    def resume(self) -> None:
        self.paused = False
        if self.carrier is not None:
            self.carrier.resume()

    def respond(self, status: int, reason: bytes, headers: list[Header]) -> None:
        if not self.done:
            self.response_started = True
            self.sink.on_response(status, reason, headers)

    def end(self) -> None:
        if not self.done:
            self.done = True
            self.carrier = None
            sink, self.sink = self.sink, NOBODY
            sink.on_end()

    def fail(self, kind: FailureKind, detail: str) -> None:
        if not self.done:
            self.done = True
            self.carrier = None
            sink, self.sink = self.sink, NOBODY
            sink.on_failure(UpstreamFailure(kind, detail, self.sent, self.response_started))
