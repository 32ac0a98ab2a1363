"""How long requests took, counted by bounds: sums of such counts still tell about where a percentile lies."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

BOUNDS: Final = (
    *(50, 100, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 7_500),
    *(10_000, 15_000, 20_000, 30_000, 60_000, 120_000),
)
"""In milliseconds, as the database's usage_latency_bounds() has them. A count is of what lasted at least as long as the
bound before and less than its own; the last, which has none, of all that lasted longer."""


def percentile(counts: Sequence[int], share: float) -> int | None:
    """Milliseconds that `share` (0..1) of the counted did not exceed, taken as spread evenly between two bounds. None
    where nothing was counted; the last bound where it lies beyond."""
    total = sum(counts)
    if not total:
        return None
    wanted = share * total
    for index, (count, reached) in enumerate(zip(counts, accumulate(counts), strict=True)):
        if count and reached >= wanted:
            if index == len(BOUNDS):
                break
            below = BOUNDS[index - 1] if index else 0
            return round(below + (BOUNDS[index] - below) * (wanted - reached + count) / count)
    return BOUNDS[-1]


def added(counts: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Bound by bound."""
    found = [0] * (len(BOUNDS) + 1)
    for each in counts:
        found = [one + other for one, other in zip(found, each, strict=True)]
    return tuple(found)
