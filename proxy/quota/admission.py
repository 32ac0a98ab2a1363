"""The question to the admission script and its answers. No I/O."""

from dataclasses import dataclass
from typing import Final

from proxy.pipeline import Argument
from proxy.quota import keys
from proxy.quota.amounts import Demand
from proxy.quota.calendar import Span
from proxy.quota.limits import MEASURES, LimitKind, Measure, Scope, kind_of

_HEADER: Final = 5


@dataclass(frozen=True, slots=True)
class Admitted:
    """The request holds what it asked for. `output` is the bound its answer must keep.

    `minute` and `period` are used and held after this admission: for each scope, by measure.
    `stored` is held of the room for what is kept upstream.
    """

    at_ms: int
    period_start_ms: int
    output: int
    minute: tuple[tuple[int, ...], ...]
    period: tuple[tuple[int, ...], ...]
    stored: int = 0


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
    scopes: tuple[Scope, ...],
    span: Span,
    demand: Demand,
    *,
    latest_ms: int,
    ttl_ms: int,
    what: bytes,
) -> tuple[list[str], list[Argument]]:
    """KEYS and ARGV of the admission script."""
    names = [keys.hold(partition, request_id), keys.holds(partition), keys.epoch(partition)]
    rows: list[Argument] = []
    for scope in scopes:
        names.append(keys.live(partition, scope.id))
        names.append(keys.period(partition, scope.id, span.start))
        names.append(keys.period(partition, scope.id, span.turn))
        rows += scope.row
    header: list[Argument] = [request_id, latest_ms, ttl_ms, *span, demand.output, demand.least_output, what]
    if demand.stores is not None:
        names.append(keys.storage(partition, scopes[0].id))
        rows += (scopes[0].storage, demand.stores)
    return names, [*header, int(demand.paced), *demand.row(), *rows]


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


def _admitted(reply: list[object], scopes: int) -> Admitted:
    values = [_number(value) for value in reply[_HEADER:]]
    width = 2 * len(MEASURES)
    rows = [values[i * width : (i + 1) * width] for i in range(scopes)]
    return Admitted(
        at_ms=_number(reply[1]),
        period_start_ms=_number(reply[2]),
        output=_number(reply[4]),
        minute=tuple(tuple(row[0::2]) for row in rows),
        period=tuple(tuple(row[1::2]) for row in rows),
        stored=sum(values[scopes * width :]),
    )


def _refused(reply: list[object], scopes: tuple[Scope, ...]) -> Refused:
    _, _, scope, window, measure, limit, used, needed, retry_ms = reply
    return Refused(
        scopes[_number(scope) - 1],
        kind_of(_text(window), _text(measure)),
        *(_number(value) for value in (limit, used, needed, retry_ms)),
    )


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def left(
    scopes: tuple[Scope, ...], admitted: Admitted, window: str, measure: Measure
) -> tuple[int, int] | None:
    """(limit, remaining) of the scope that has least left of that limit; None where nobody limits it."""
    index = MEASURES.index(measure)
    tightest: tuple[int, int] | None = None
    for scope, minute, period in zip(scopes, admitted.minute, admitted.period, strict=True):
        limit = scope.limit("minute" if window == "minute" else "period", measure)
        if limit < 0:
            continue
        remaining = max(0, limit - (minute if window == "minute" else period)[index])
        if tightest is None or remaining < tightest[1]:
            tightest = (limit, remaining)
    return tightest
