"""Counters against what they were counted from. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from proxy.quota.amounts import Amounts
from proxy.quota.limits import MEASURES, Measure

Counted = Measure | Literal["c"]

COUNTED: Final[tuple[Counted, ...]] = (*MEASURES, "c")
"""The measures, and what runs at once."""

NAMES: Final[dict[Counted, str]] = {
    "r": "requests",
    "t": "tokens",
    "m": "money",
    "b": "traffic_bytes",
    "k": "storage_bytes",
    "c": "concurrent_requests",
}


@dataclass(frozen=True, slots=True)
class Held:
    """The holds that exist, of one scope: what they come to in the period, and how many of them run now."""

    amounts: Amounts
    running: int


@dataclass(frozen=True, slots=True)
class Look:
    """One organization at one instant, by scope: only scopes that have counters. `stream` is what is on its way to the
    ledger and not there yet. `counters` are named as in Redis: a measure, `h` and a measure, and `c`."""

    counters: Mapping[str, Mapping[str, int]]
    holds: Mapping[str, Held]
    ledger: Mapping[str, Amounts]
    stream: Mapping[str, Amounts]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure of one scope. Used: `counters` should be `ledger` and `stream` together. Held: `held` should be what
    the `holds` come to. The differences are what the counters have too much."""

    scope: str
    measure: Counted
    ledger: int
    stream: int
    counters: int
    difference: int
    holds: int
    held: int
    held_difference: int

    @property
    def differs(self) -> bool:
        return bool(self.difference or self.held_difference)


def compare(look: Look) -> list[Comparison]:
    """All scopes, in the order of the look, and each of their measures."""
    return [_compare(look, scope, measure) for scope in look.counters for measure in COUNTED]


def _compare(look: Look, scope: str, measure: Counted) -> Comparison:
    counters, holds = look.counters[scope], look.holds[scope]
    if measure == "c":
        held, holding = counters["c"], holds.running
        return Comparison(scope, measure, 0, 0, 0, 0, holding, held, held - holding)
    index = MEASURES.index(measure)
    used, held, holding = counters[measure], counters["h" + measure], holds.amounts[index]
    ledger, stream = look.ledger[scope][index], look.stream[scope][index]
    return Comparison(
        *(scope, measure, ledger, stream, used, used - ledger - stream, holding, held, held - holding)
    )


def standing(first: Sequence[Comparison], second: Sequence[Comparison]) -> list[Comparison]:
    """The second look, with only as much of its differences as stood in the first already."""
    before = {(each.scope, each.measure): each for each in first}
    return [
        replace(
            each,
            difference=_common(seen.difference, each.difference) if seen else 0,
            held_difference=_common(seen.held_difference, each.held_difference) if seen else 0,
        )
        for each in second
        for seen in [before.get((each.scope, each.measure))]
    ]


def _common(one: int, other: int) -> int:
    if one == 0 or other == 0 or (one > 0) != (other > 0):
        return 0
    return min(one, other, key=abs)
