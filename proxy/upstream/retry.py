"""Whether a request that got no good answer is tried again, where and when. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

from config.upstreams.schema import Retries
from proxy.upstream.failure import FailureKind, UpstreamFailure
from proxy.upstream.request import Header

_NOT_WORKED_ON: Final = frozenset({429, 503})
"""The upstream says that it has not done the work."""
_WENT_WRONG: Final = frozenset({500, 502, 504})
_ONLY_ANSWERS: Final = frozenset(
    {
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/responses",
        "/v1/embeddings",
        "/v1/moderations",
        "/v1/images/generations",
        "/v1/images/edits",
        "/v1/images/variations",
        "/v1/audio/speech",
        "/v1/audio/transcriptions",
        "/v1/audio/translations",
    }
)
"""What fails at these leaves nothing behind."""
_FIRST_BACKOFF: Final = 0.25
_SAME_AGAIN: Final = frozenset[FailureKind](
    {"connect", "reset", "timeout_first_byte", "protocol"}
)  # a certificate stays as it is, and who waited for a free connection has waited


class Refusing(NamedTuple):
    """The head of an answer; `wait` is its Retry-After in seconds. `final`: it says that asking again is no use."""

    status: int
    wait: float | None
    final: bool


class Repeatable(NamedTuple):
    """`safe`: changes nothing upstream, however often it comes (GET). `creates_nothing`: costs and leaves nothing
    where it was answered with an error. `once`: its body has passed and is not kept."""

    safe: bool
    creates_nothing: bool
    once: bool = False


def repeatable(method: str, template: str, request: Mapping[str, Any]) -> Repeatable:
    """`request` is the decoded body."""
    works_alone = request.get("background") is not True and request.get("conversation") is None
    return Repeatable(method in ("GET", "HEAD"), template in _ONLY_ANSWERS and works_alone)


class Again(NamedTuple):
    """The same upstream, after so many seconds."""

    after: float


class Next(NamedTuple):
    """The next one, at once."""


class PassOn(NamedTuple):
    """The client gets what there is."""


Step = Again | Next | PassOn


class Standing(NamedTuple):
    """`attempts` made, `elapsed` seconds since the first, whether `others` are left, and whether the last one has been
    asked a second time already."""

    attempts: int
    elapsed: float
    others: bool
    asked_again: bool


def is_error(status: int) -> bool:
    """Whether an answer of this status may be worth another attempt."""
    return status in _NOT_WORKED_ON or status in _WENT_WRONG


def after_answer(limits: Retries, refusing: Refusing, standing: Standing, kind: Repeatable) -> Step:
    if not is_error(refusing.status) or kind.once:
        return PassOn()
    if refusing.status in _WENT_WRONG and not (kind.creates_nothing or kind.safe):
        return PassOn()
    if _is_over(limits, standing):
        return PassOn()
    wait = refusing.wait
    if not refusing.final and not standing.asked_again and wait is not None and wait <= limits.longest_wait:
        return _again(limits, standing, wait)
    if standing.others:
        return Next()
    # Without a Retry-After, 429 is as often a quota that stays used up.
    if refusing.final or wait is not None or refusing.status == 429:
        return PassOn()
    return _again(limits, standing, _backoff(standing))


def after_failure(limits: Retries, failure: UpstreamFailure, standing: Standing, kind: Repeatable) -> Step:
    if failure.response_started or failure.kind == "request_body":
        return PassOn()
    if (failure.sent and not kind.safe) or _is_over(limits, standing):
        return PassOn()
    if standing.others:
        return Next()
    return _again(limits, standing, _backoff(standing)) if failure.kind in _SAME_AGAIN else PassOn()


def _is_over(limits: Retries, standing: Standing) -> bool:
    return standing.attempts >= limits.attempts or standing.elapsed >= limits.within


def _again(limits: Retries, standing: Standing, wait: float) -> Step:
    return Again(wait) if standing.elapsed + wait <= limits.within else PassOn()


def _backoff(standing: Standing) -> float:
    return _FIRST_BACKOFF * 2.0 ** (standing.attempts - 1)


def refusing(status: int, headers: Iterable[Header], now: datetime) -> Refusing:
    """What the head of an error says. A Retry-After that can't be read is none."""
    said = {name.lower(): value for name, value in headers}
    final = said.get(b"x-should-retry", b"").strip().lower() == b"false"
    wait = _number(said.get(b"retry-after-ms"))
    if wait is not None:
        return Refusing(status, wait / 1000, final)
    return Refusing(status, _retry_after(said.get(b"retry-after"), now), final)


def _retry_after(value: bytes | None, now: datetime) -> float | None:
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    try:
        at = parsedate_to_datetime(value.decode("latin-1"))
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())


def _number(value: bytes | None) -> float | None:
    try:
        number = float(value) if value is not None else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < 1e9 else None
