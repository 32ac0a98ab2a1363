"""Periods of an organization as the scripts take them: unix milliseconds."""

from functools import lru_cache
from typing import NamedTuple

from ledger.periods import month_of
from proxy.quota.clock import instant, milliseconds


class Span(NamedTuple):
    """This period and the next, half-open: [start, turn) and [turn, finish). Milliseconds."""

    start: int
    turn: int
    finish: int


class Calendar:
    """The months of one time zone. Remembers the one it is in: a lookup per request costs two comparisons."""

    def __init__(self, time_zone: str) -> None:
        self._time_zone = time_zone
        self._span = Span(0, 0, 0)

    def around(self, now_ms: int) -> Span:
        if not self._span.start <= now_ms < self._span.turn:
            this = month_of(instant(now_ms), self._time_zone)
            following = month_of(this.end, self._time_zone)
            self._span = Span(*map(milliseconds, (this.start, this.end, following.end)))
        return self._span


@lru_cache(maxsize=1024)
def calendar_of(time_zone: str) -> Calendar:
    return Calendar(time_zone)
