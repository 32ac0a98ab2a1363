"""The question to the admission script and its answers. No I/O."""

from dataclasses import dataclass
from typing import Any, Final

from proxy.pipeline import Argument
from proxy.quota import keys
from proxy.quota.amounts import Demand
from proxy.quota.calendar import Span
from proxy.quota.limits import MEASURES, LimitKind, Scope, kind_of
from proxy.quota.scopes import Scopes

_HEADER: Final = 5
_WIDTH: Final = 2 * len(MEASURES)


@dataclass(frozen=True, slots=True)
class Admitted:
    """The request holds what it asked for. `output` is the bound its answer must keep.

    `counts` are used and held after this admission: for each scope and measure in the minute, and in the period.
    `stored` is held of the room for what is kept upstream.
    """

    at_ms: int
    period_start_ms: int
    output: int
    counts: tuple[int, ...]
    stored: int = 0

    def minute(self, scope: int) -> tuple[int, ...]:
        """Of the scope with this number, by measure."""
        return self.counts[_WIDTH * scope : _WIDTH * (scope + 1) : 2]

    def period(self, scope: int) -> tuple[int, ...]:
        return self.counts[_WIDTH * scope + 1 : _WIDTH * (scope + 1) : 2]


@dataclass(frozen=True, slots=True)
class Refused:
    """One limit had no room. `retry_ms` is when it may have, -1 where waiting does not help or is not known."""

    scope: Scope
    kind: LimitKind
    limit: int
    used: int
    needed: int
    retry_ms: int


@dataclass(frozen=True, slots=True)
class OtherPeriod:
    """Redis is in another period than the caller thought: plan again at its time."""


@dataclass(frozen=True, slots=True)
class Unseeded:
    """Counters of this period are not in Redis: rebuild them from the ledger first."""

    period_start_ms: int


@dataclass(frozen=True, slots=True)
class TooLate:
    """Redis came to the question only after the caller's patience; nothing was written."""


@dataclass(frozen=True, slots=True)
class Uncounted:
    """What the organization keeps upstream must be counted anew before an upload may be held to it."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Redis has lost the partition's data, and not every proxy has brought back yet what it knows of it."""


Answer = Admitted | Refused | OtherPeriod | Unseeded | TooLate | Uncounted | Closed


def question(
    partition: int,
    request_id: str,
    scopes: Scopes,
    span: Span,
    demand: Demand,
    *,
    latest_ms: int,
    ttl_ms: int,
    what: bytes,
) -> tuple[list[str], list[Argument]]:
    """KEYS and ARGV of the admission script."""
    names = [
        *(keys.hold(partition, request_id), keys.holds(partition), keys.epoch(partition)),
        *scopes.names(partition, span),
    ]
    arguments: list[Argument] = [
        *(request_id, latest_ms, ttl_ms, *span, demand.output, demand.least_output, what, int(demand.paced)),
        *demand.row(),
        *scopes.rows,
    ]
    if demand.stores is not None:
        names.append(keys.storage(partition, scopes[0].id))
        arguments += (scopes[0].storage, demand.stores)
    return names, arguments


def redis_time(reply: list[object]) -> int:
    """Redis' time in ms, which every reply of the script carries."""
    return int(reply[1])  # type: ignore[call-overload, no-any-return]


def answer(reply: list[object], scopes: tuple[Scope, ...]) -> Answer:
    """The script's reply, understood."""
    match reply[0]:
        case 1:
            return _admitted(reply, len(scopes))
        case 0:
            return _refused(reply, scopes)
        case -1:
            return OtherPeriod()
        case -2:
            return Unseeded(_number(reply[2]))
        case -3:
            return TooLate()
        case -4:
            return Uncounted()
        case -5:
            return Closed()
    raise ValueError(f"the admission script answered {reply[0]!r}")


def _number(value: object) -> int:
    return int(value)  # type: ignore[call-overload, no-any-return]


def _admitted(reply: list[Any], scopes: int) -> Admitted:
    end = _HEADER + _WIDTH * scopes
    return Admitted(reply[1], reply[2], reply[4], tuple(reply[_HEADER:end]), sum(reply[end:]))


def _refused(reply: list[object], scopes: tuple[Scope, ...]) -> Refused:
    _, _, scope, window, measure, limit, used, needed, retry_ms = reply
    return Refused(
        scopes[_number(scope) - 1],
        kind_of(_text(window), _text(measure)),
        *(_number(value) for value in (limit, used, needed, retry_ms)),
    )


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
