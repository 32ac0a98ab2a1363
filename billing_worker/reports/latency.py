"""Percentiles of durations that were counted in classes."""

from collections.abc import Iterable, Sequence

from ledger.breakdown import LATENCY_BOUNDS_MS


def percentile(counts: Sequence[int], share: float) -> int | None:
    """The duration in ms that `share` (0 to 1) of all did not pass, as if they lay evenly within a class.

    What lasted longer than the last bound counts as that. None without any.
    """
    total = sum(counts)
    if total == 0:
        return None
    wanted, passed, low = share * total, 0, 0
    for count, high in zip(counts, LATENCY_BOUNDS_MS, strict=False):
        if count and passed + count >= wanted:
            return round(low + (high - low) * (wanted - passed) / count)
        passed, low = passed + count, high
    return LATENCY_BOUNDS_MS[-1]


def added(counts: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Class by class."""
    found = [0] * (len(LATENCY_BOUNDS_MS) + 1)
    for each in counts:
        found = [a + b for a, b in zip(found, each, strict=True)]
    return tuple(found)
