"""The holders of limits that apply to a request, with what follows from who they are, worked out once for a caller."""

from collections.abc import Iterable
from typing import Final, Self

from proxy.quota import keys
from proxy.quota.calendar import Span
from proxy.quota.limits import MEASURES, Measure, Scope, Window

_WIDTH: Final = 2 * len(MEASURES)


class Scopes(tuple[Scope, ...]):  # noqa: SLOT001 - what is worked out stays with it
    """The organization first. Equal to a tuple of the same."""

    ids: tuple[str, ...]
    rows: tuple[int, ...]
    """What the admission script takes for all of them."""
    _names: tuple[int, Span, tuple[str, ...]]
    _limiting: dict[tuple[Window, Measure], tuple[tuple[int, int], ...]]

    def __new__(cls, scopes: Iterable[Scope]) -> Self:
        made = super().__new__(cls, scopes)
        made.ids = tuple(scope.id for scope in made)
        made.rows = tuple(value for scope in made for value in scope.row)
        made._names = 0, Span(0, 0, 0), ()
        made._limiting = {}
        return made

    def names(self, partition: int, span: Span) -> tuple[str, ...]:
        """Of the counters of each: live, this period's and the next one's."""
        known, of, names = self._names
        if known != partition or of != span:
            names = tuple(
                name
                for scope in self.ids
                for name in (
                    keys.live(partition, scope),
                    keys.period(partition, scope, span.start),
                    keys.period(partition, scope, span.turn),
                )
            )
            self._names = partition, span, names
        return names

    def left(self, window: Window, measure: Measure, counts: tuple[int, ...]) -> tuple[int, int] | None:
        """(limit, remaining) of the one that has least left of that limit; None where nobody limits it. `counts` as
        Admitted has them."""
        limiting = self._limiting.get((window, measure))
        if limiting is None:
            limiting = self._limiting[window, measure] = self._that_limit(window, measure)
        tightest: tuple[int, int] | None = None
        for at, limit in limiting:
            remaining = max(0, limit - counts[at])
            if tightest is None or remaining < tightest[1]:
                tightest = limit, remaining
        return tightest

    def _that_limit(self, window: Window, measure: Measure) -> tuple[tuple[int, int], ...]:
        """Where each one's count stands, and its limit."""
        place = 2 * MEASURES.index(measure) + (window == "period")
        limits = (
            (number * _WIDTH + place, scope.limit(window, measure)) for number, scope in enumerate(self)
        )
        return tuple((at, limit) for at, limit in limits if limit >= 0)
