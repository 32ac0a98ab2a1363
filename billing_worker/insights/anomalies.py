"""Days that are far from what the days before let expect. Pure.

Each day is foreseen from those before it, and compared: its error is measured against the usual size of such errors
(1.4826 times their median), taken as at least a tenth of what was foreseen. Five times that is unusual, in either
direction. A day that is unusual counts as foreseen for the days after it, so that one peak does not hide the next or
make plain days look unusual; after three in a row in one direction the level
is taken to have changed: what was before is scaled to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from billing_worker.insights.models import ENOUGH, WINDOW, foresee

UNUSUAL = 5.0
_SCALE = 1.4826
_FLOOR = 0.1
_LEAST_ERRORS = 7
_NOTHING = 1e-6
_NEW_LEVEL = 3


@dataclass(frozen=True, slots=True)
class Anomaly:
    """`place` in the history; `score` is how many usual errors it lies off, negative where it is too low."""

    place: int
    seen: float
    expected: float
    score: float


def anomalies(history: Sequence[float], *, least: float = 0.0) -> list[Anomaly]:
    """Of a value a day, the oldest first. The first four weeks only teach; a day that lies less than `least` off what
    was expected is never unusual."""
    cleaned = list(history[:ENOUGH])
    errors: list[float] = []
    found: list[Anomaly] = []
    row: list[int] = []
    for place in range(ENOUGH, len(history)):
        seen = history[place]
        expected = foresee(cleaned[-WINDOW:], 1)[0][0]
        score = _score(seen, expected, errors, least)
        if score is None or abs(score) < UNUSUAL:
            errors.append(abs(seen - expected))
            errors = errors[-WINDOW:]
            cleaned.append(seen)
            row = []
            continue
        found.append(Anomaly(place, seen, expected, score))
        row = [*row, place] if not row or found[-2].score * score > 0 else [place]
        cleaned.append(expected)
        if len(row) == _NEW_LEVEL:
            factor = _new_level([each for each in found if each.place in row])
            cleaned = [value * factor for value in cleaned]
            errors = [error * factor for error in errors]
            for known in row:
                cleaned[known] = history[known]
            row = []
    return found


def _new_level(days: Sequence[Anomaly]) -> float:
    """How much larger the new level is than the old; the week keeps its shape."""
    expected = sum(day.expected for day in days)
    return sum(day.seen for day in days) / expected if expected > _NOTHING else 1.0


def _score(seen: float, expected: float, errors: Sequence[float], least: float) -> float | None:
    if len(errors) < _LEAST_ERRORS or abs(seen - expected) <= max(least, _NOTHING):
        return None
    usual = max(_SCALE * median(errors), _FLOOR * expected)
    return (seen - expected) / usual if usual > 0 else UNUSUAL
