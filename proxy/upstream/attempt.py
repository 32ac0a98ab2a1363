"""One try at one upstream."""

from collections.abc import Callable
from typing import Final, Protocol

from proxy.upstream.breaker import Pass
from proxy.upstream.exchange import Exchange, Sink
from proxy.upstream.failure import UpstreamFailure
from proxy.upstream.request import Header
from proxy.upstream.upstream import Upstream

_MOST_KEPT: Final = 64 * 1024


class Attempts(Protocol):
    """Who decides what becomes of an attempt."""

    def answered(self, attempt: "Attempt", status: int, headers: list[Header]) -> None: ...

    def failed(self, attempt: "Attempt", error: UpstreamFailure) -> None: ...


class Attempt:
    """The sink of its exchange. Its answer is passed on, or set aside: kept, if it is small, in case nothing better
    comes, while its connection is read to the end and kept too."""

    def __init__(self, owner: Attempts, upstream: Upstream, given: Pass) -> None:
        self.upstream = upstream
        self.given: Pass | None = given
        """The breaker's, until its outcome is known."""
        self.exchange: Exchange | None = None
        self.is_set_aside = False
        # Once an answer is passed on, its pieces go to the caller's sink without a detour.
        self.on_body: Callable[[bytes], None] = self._keep
        self.on_end: Callable[[], None] = self._complete
        self._owner: Attempts | None = owner
        self._head: tuple[int, bytes, list[Header]] = (0, b"", [])
        self._kept: list[bytes] = []
        self._size = 0
        self._is_complete = False

    @property
    def may_cost(self) -> bool:
        """Whether the upstream may have acted on the request: it was sent, and not refused."""
        return self.exchange is not None and self.exchange.sent and not self.is_set_aside

    def on_response(self, status: int, reason: bytes, headers: list[Header]) -> None:
        self._head = (status, reason, headers)
        if self._owner is not None:
            self._owner.answered(self, status, headers)

    def on_failure(self, error: UpstreamFailure) -> None:
        if self._owner is not None and not self.is_set_aside:
            self._owner.failed(self, error)

    def pass_on(self, sink: Sink) -> None:
        """What has begun goes to `sink`."""
        self.on_body, self.on_end = sink.on_body, sink.on_end
        sink.on_response(*self._head)

    def set_aside(self) -> None:
        self.is_set_aside = True

    def replay(self, sink: Sink) -> bool:
        """Passes on what was set aside, if it came whole."""
        if not self._is_complete:
            return False
        sink.on_response(*self._head)
        for piece in self._kept:
            sink.on_body(piece)
        sink.on_end()
        return True

    def close(self) -> None:
        if self.given is not None:
            self.upstream.abandoned(self.given)
            self.given = None
        if self.exchange is not None:
            self.exchange.close()

    def let_go(self) -> None:
        """Nobody is told anything any more."""
        self._owner = None
        self.on_body, self.on_end = _unheard, _ended_unheard

    def _keep(self, data: bytes) -> None:
        self._kept.append(data)
        self._size += len(data)
        if self._size > _MOST_KEPT:
            self._kept.clear()
            self.close()

    def _complete(self) -> None:
        self._is_complete = True


def _unheard(_: bytes) -> None: ...


def _ended_unheard() -> None: ...
