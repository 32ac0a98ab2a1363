"""What is limited, and over what: a new limit is one row here.

A measure is an amount that a request uses; a limit bounds the sum of one measure over one window. The order of
`MEASURES` and of `LIMITS` is the order in which the scripts take and return them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from ledger.limits import UNLIMITED, Limits

Window = Literal["concurrent", "minute", "period", "stored"]
Measure = Literal["r", "t", "m", "b", "k"]

BUCKET_MS: Final = 2000
SLOTS: Final = 31
"""A minute is so many buckets, as minute.lua cuts it."""
MEASURES: Final[tuple[Measure, ...]] = ("r", "t", "m", "b")
"""Requests, tokens, money in nano-units of the plan's currency, and bytes of bodies in both directions. Beside
these, of organizations alone: `k`, bytes that are kept upstream."""

Holder = Literal["organization", "project", "key", "member"]

HOLDERS: Final[dict[str, Holder]] = {"o": "organization", "p": "project", "k": "key", "m": "member"}
"""Who may carry limits, by what the id of its scope begins with."""

MARKS: Final[dict[Holder, str]] = {holder: mark for mark, holder in HOLDERS.items()}

NANO: Final = 10**9
GB: Final = 10**9
MB: Final = 10**6


def _money(amount: Decimal) -> int:
    return UNLIMITED if amount < 0 else int(amount * NANO)


def _bytes(amount: int, unit: int) -> int:
    # Lua's numbers are exact up to 2^53; a limit above that is none that anybody reaches.
    return UNLIMITED if amount < 0 else min(amount * unit, 2**53)


@dataclass(frozen=True, slots=True)
class LimitKind:
    """One limit: its name in a plan, the measure it bounds and the window it bounds it over."""

    name: str
    measure: Measure
    window: Window
    of: Callable[[Limits], int]


LIMITS: Final[tuple[LimitKind, ...]] = (
    LimitKind("concurrent_requests", "r", "concurrent", lambda limits: limits.concurrent_requests),
    LimitKind("requests_per_minute", "r", "minute", lambda limits: limits.requests_per_minute),
    LimitKind("requests_per_month", "r", "period", lambda limits: limits.requests_per_month),
    LimitKind("tokens_per_minute", "t", "minute", lambda limits: limits.tokens_per_minute),
    LimitKind("tokens_per_month", "t", "period", lambda limits: limits.tokens_per_month),
    LimitKind("spend_per_month", "m", "period", lambda limits: _money(limits.spend_per_month)),
    LimitKind("traffic_gb_per_month", "b", "period", lambda limits: _bytes(limits.traffic_gb_per_month, GB)),
    LimitKind("storage_mb", "k", "stored", lambda limits: _bytes(limits.storage_mb, MB)),
)

_BY_PLACE: Final = {(kind.window, kind.measure): kind for kind in LIMITS}


def kind_of(window: str, measure: str) -> LimitKind:
    """The limit that a script named in a refusal."""
    return _BY_PLACE[window, measure]  # type: ignore[index]


@dataclass(frozen=True, slots=True)
class Scope:
    """One holder of limits. `row` is what the admission script takes for it:
    concurrent, then per minute and per period for each measure; -1 is unlimited."""

    id: str
    limits: Limits
    row: tuple[int, ...]

    @classmethod
    def of(cls, identifier: str, limits: Limits) -> "Scope":
        values = {(kind.window, kind.measure): kind.of(limits) for kind in LIMITS}
        row = [values.get(("concurrent", "r"), UNLIMITED)]
        for measure in MEASURES:
            row.append(values.get(("minute", measure), UNLIMITED))
            row.append(values.get(("period", measure), UNLIMITED))
        return cls(identifier, limits, tuple(row))

    @property
    def holder(self) -> Holder:
        return HOLDERS[self.id.partition(":")[0]]

    @property
    def limited(self) -> bool:
        """Whether anything is bounded here; a scope that bounds nothing needs no counters."""
        return any(value >= 0 for value in self.row)

    @property
    def storage(self) -> int:
        """Bytes that may be kept upstream; -1 is unlimited."""
        return kind_of("stored", "k").of(self.limits)

    def limit(self, window: Window, measure: Measure) -> int:
        if window == "concurrent":
            return self.row[0]
        return self.row[1 + 2 * MEASURES.index(measure) + (window == "period")]
