"""What the rest of a period will come to, and between which bounds. Pure.

The bounds come from the errors that the same method would have made on the last weeks (a conformal interval): of such
sums, four of five lie within them if the weeks to come are like those before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from billing_worker.insights.models import ENOUGH, WEEK, WINDOW, Method, foresee

COVERAGE = 0.8
_LEAST_TRIALS = 7


@dataclass(frozen=True, slots=True)
class Forecast:
    """`days` are the values to come, `low` and `high` bound their sum; None where too little is known for bounds."""

    days: tuple[float, ...]
    method: Method
    low: float | None
    high: float | None

    @property
    def total(self) -> float:
        return sum(self.days)


def forecast(history: Sequence[float], days: int) -> Forecast | None:
    """The `days` after `history`, complete days with the oldest first. None without any history, or days."""
    if not history or days < 1:
        return None
    found, method = foresee(history, days)
    error = _error(history[-WINDOW - ENOUGH :], days)
    total = sum(found)
    low = None if error is None else max(0.0, total * (1 - error))
    high = None if error is None else total * (1 + error)
    return Forecast(tuple(found), method, low, high)


def _error(history: Sequence[float], days: int) -> float | None:
    """How far, as a share of the foreseen sum, the sums of such spans lay off it in COVERAGE of the trials."""
    # A long span cannot be tried often in a short past; errors of shorter ones are larger, which errs to the wide.
    span = min(days, WEEK)
    errors = []
    for begin in range(ENOUGH, len(history) - span + 1):
        foreseen, _ = foresee(history[:begin], span)
        if sum(foreseen) > 0:
            errors.append(abs(sum(history[begin : begin + span]) / sum(foreseen) - 1))
    if len(errors) < _LEAST_TRIALS:
        return None
    place = min(ceil((len(errors) + 1) * COVERAGE), len(errors))
    return sorted(errors)[place - 1]
