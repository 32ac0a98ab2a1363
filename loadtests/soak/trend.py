"""How fast something grows, and how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median
from typing import Final

_BLOCKS: Final = 30
_SURE: Final = 2.05
"""Of Student's distribution with the degrees of freedom that are left, for 95 % on both sides."""


@dataclass(frozen=True)
class Trend:
    """`slope` in units an hour; with 95 % confidence it is `margin` more or less."""

    slope: float
    margin: float

    @property
    def least(self) -> float:
        """What it grows by at the least, as far as can be told from noise."""
        return self.slope - self.margin


def trend(samples: Sequence[tuple[float, float]]) -> Trend:
    """A straight line through samples of (seconds, value), by least squares.

    Memory grows in steps and stays: neighbouring samples say the same twice. So the medians of blocks are taken, and
    what they still have in common with the block before widens the margin. Raises ValueError for fewer than 6 samples.
    """
    points = _blocks(samples)
    if len(points) < 6:
        raise ValueError("too few samples for a trend")
    hours = [at / 3600 for at, _ in points]
    values = [value for _, value in points]
    middle, level = fmean(hours), fmean(values)
    spread = sum((hour - middle) ** 2 for hour in hours)
    pairs = list(zip(hours, values, strict=True))
    slope = sum((hour - middle) * (value - level) for hour, value in pairs) / spread
    residuals = [value - level - slope * (hour - middle) for hour, value in pairs]
    squares = sum(each**2 for each in residuals)
    error = math.sqrt(squares / (len(points) - 2) / spread)
    return Trend(slope, _SURE * error * math.sqrt(_repetition(residuals, squares)))


def _repetition(residuals: Sequence[float], squares: float) -> float:
    """By how much the variance is understated where each residual repeats part of the one before."""
    if squares == 0:
        return 1.0
    common = sum(one * next_ for one, next_ in pairwise(residuals)) / squares
    common = min(max(common, 0.0), 0.9)
    return (1 + common) / (1 - common)


def _blocks(samples: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    size = max(1, math.ceil(len(samples) / _BLOCKS))
    blocks = (samples[start : start + size] for start in range(0, len(samples), size))
    return [(fmean(at for at, _ in block), median(value for _, value in block)) for block in blocks]
