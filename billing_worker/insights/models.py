"""How the next days follow from those before, with a week as the season.

MSTL (a trend and a season by LOESS, the trend carried on by exponential smoothing) by the library augurs, which is
loaded when it is first needed: it brings numpy. Where the library is not (it has no build for CPython 3.14), and for
less than three weeks, a day is foreseen as the median of the same weekday in the last four weeks, or of all days.
"""

from collections.abc import Sequence
from statistics import median
from typing import Literal

WEEK = 7
WINDOW = 8 * WEEK
"""Days that are looked back on: what was before says little."""
ENOUGH = 3 * WEEK

Method = Literal["mstl", "weekday_median", "median"]


def foresee(history: Sequence[float], days: int) -> tuple[list[float], Method]:
    """The `days` after `history` (a value a day, the oldest first, none missing, at least one); none below 0."""
    recent = list(history[-WINDOW:])
    if len(recent) >= ENOUGH and (found := _mstl(recent, days)) is not None:
        return [max(0.0, value) for value in found], "mstl"
    if len(recent) < 2 * WEEK:
        return [median(recent)] * days, "median"
    weekdays = [median(recent[-WEEK + place :: -WEEK][:4]) for place in range(WEEK)]
    return [weekdays[day % WEEK] for day in range(days)], "weekday_median"


def _mstl(history: list[float], days: int) -> list[float] | None:
    try:
        import augurs
        import numpy
    except ImportError:
        return None
    model = augurs.MSTL.ets([WEEK])
    try:
        model.fit(numpy.asarray(history, dtype=numpy.float64))
        found: list[float] = model.predict(days, None).point().tolist()
    except Exception:  # noqa: BLE001 - the library's errors are of no class of their own
        return None
    return found if all(value == value and abs(value) != float("inf") for value in found) else None
