"""A request on its way: tried at one upstream after the other until there is an answer to pass on."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

from config.upstreams.schema import Retries
from proxy.upstream.attempt import Attempt
from proxy.upstream.breaker import Pass
from proxy.upstream.exchange import Sink
from proxy.upstream.failure import FailureKind, UpstreamFailure
from proxy.upstream.request import Header
from proxy.upstream.retry import (
    Again,
    Next,
    PassOn,
    Repeatable,
    Standing,
    Step,
    after_answer,
    after_failure,
    is_error,
    refusing,
)
from proxy.upstream.router import Way
from proxy.upstream.upstream import ClientRequest, Upstream

_NOT_ITS_FAULT: Final = frozenset[FailureKind]({"pool_exhausted", "request_body"})


class Watch(Protocol):
    """Who counts. `reason` is a status or a FailureKind."""

    def attempted(self, upstream: str, result: str) -> None: ...

    def retried(self, upstream: str, reason: str) -> None: ...

    def fell_back(self, upstream: str, to: str, reason: str) -> None: ...


class Forwarding:
    """The caller's handle. Nothing is tried again once anything of an answer was passed on, and never what an
    upstream may have acted on; where nothing better comes, an upstream's own error is passed on as it came."""

    def __init__(
        self,
        request: ClientRequest,
        ways: Sequence[Way[Upstream]],
        sink: Sink,
        kind: Repeatable,
        limits: Retries,
        watch: Watch,
    ) -> None:
        """Starts at once; what comes of it is told to `sink`, never before this returns. There is at least one way.
        Raises ValueError for a request that cannot be written."""
        self._loop = asyncio.get_running_loop()
        self._request = request
        self._sink = sink
        self._kind = kind
        self._limits = limits
        self._watch = watch
        self._started = self._loop.time()
        self._attempts = 0
        self._asked_again = False
        self._aside: Attempt | None = None
        self._timer: asyncio.TimerHandle | None = None
        now = self._started
        at, given = next(
            ((at, given) for at, way in enumerate(ways) if (given := way.upstream.begin(now)) is not None),
            (0, ways[0].upstream.begin_anyway()),
        )
        self._rest = list(ways[at + 1 :])
        self._way = ways[at]
        self._attempt = self._try(given)

    @property
    def upstream(self) -> str:
        """The name of the upstream that answered, or was asked last."""
        return self._attempt.upstream.name

    @property
    def may_cost(self) -> bool:
        """Whether an upstream may have acted on the request."""
        return self._attempt.may_cost

    def close(self) -> None:
        """Gives up: what runs upstream is closed at once, nothing more is tried, and the sink hears nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        for attempt in (self._attempt, self._aside):
            if attempt is not None:
                attempt.close()

    def let_go(self) -> None:
        """To be called last: it is over, or closed. What refers to one another here parts, so that it goes at once
        instead of waiting for the collector of cycles."""
        self._attempt.let_go()

    def pause(self) -> None:
        if self._attempt.exchange is not None:
            self._attempt.exchange.pause()

    def resume(self) -> None:
        if self._attempt.exchange is not None:
            self._attempt.exchange.resume()

    # What an attempt tells

    def answered(self, attempt: Attempt, status: int, headers: list[Header]) -> None:
        upstream, now = attempt.upstream, self._loop.time()
        self._watch.attempted(upstream.name, str(status))
        given, attempt.given = attempt.given, None
        if given is not None and status < 500:
            upstream.succeeded(given)
        elif given is not None:
            upstream.failed(given, now, str(status))
        step: Step = PassOn()
        if is_error(status):
            said = refusing(status, headers, datetime.now(UTC))
            if said.wait is not None:
                upstream.rest(self._request.model, now, said.wait)
            step = after_answer(self._limits, said, self._standing(now), self._kind)
        if isinstance(step, PassOn):
            attempt.pass_on(self._sink)
        else:
            attempt.set_aside()
            self._aside = attempt
            self._take(step, str(status))

    def failed(self, attempt: Attempt, error: UpstreamFailure) -> None:
        upstream, now = attempt.upstream, self._loop.time()
        self._watch.attempted(upstream.name, error.kind)
        given, attempt.given = attempt.given, None
        if given is not None:
            if error.kind in _NOT_ITS_FAULT or upstream.closing:
                upstream.abandoned(given)
            else:
                upstream.failed(given, now, error.kind)
        step = after_failure(self._limits, error, self._standing(now), self._kind)
        if not isinstance(step, PassOn) and not upstream.closing:
            self._take(step, error.kind)
        elif error.sent or not self._replay():
            self._sink.on_failure(error)

    def _replay(self) -> bool:
        aside = self._aside
        if aside is None:
            return False
        latest: Attempt = self._attempt
        self._attempt = aside
        if aside.replay(self._sink):
            return True
        self._attempt = latest
        return False

    # What follows from it

    def _standing(self, now: float) -> Standing:
        others = any(way.upstream.is_ready(self._request.model, now) for way in self._rest)
        return Standing(self._attempts, now - self._started, others, self._asked_again)

    def _take(self, step: Again | Next, reason: str) -> None:
        latest = self._attempt.upstream.name
        if isinstance(step, Again):
            self._watch.retried(latest, reason)
            self._timer = self._loop.call_later(step.after, self._ask_again)
            return
        now = self._loop.time()
        at = next(at for at, way in enumerate(self._rest) if way.upstream.is_ready(self._request.model, now))
        way = self._rest[at]
        del self._rest[: at + 1]
        self._watch.fell_back(latest, way.upstream.name, reason)
        self._asked_again = False
        self._way = way
        self._attempt = self._try(way.upstream.begin(now) or way.upstream.begin_anyway())

    def _ask_again(self) -> None:
        self._timer = None
        self._asked_again = True
        upstream = self._way.upstream
        if upstream.closing:
            self._sink.on_failure(UpstreamFailure("connect", "the server is stopping", False, False))
            return
        self._attempt = self._try(upstream.begin(self._loop.time()) or upstream.begin_anyway())

    def _try(self, given: Pass) -> Attempt:
        upstream, model = self._way
        self._attempts += 1
        attempt = Attempt(self, upstream, given)
        try:
            attempt.exchange = upstream.send(self._request, model, attempt)
        except BaseException:
            attempt.close()
            raise
        return attempt
