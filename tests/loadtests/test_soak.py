"""Memory under a load that goes on: the short form of `make soak`, and what a trend is."""

import random
import shutil

import pytest

from loadtests.soak.measure import PARTS, measure
from loadtests.soak.trend import trend

LEAK = 5000
"""Bytes that a call would leave behind with all its objects. In so short a time less can't be told from warming up."""


@pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="the clients are in C: a compiler is needed"
)
def test_calls_and_streams_leave_nothing_behind_in_memory() -> None:
    found = measure(seconds=16, rate=400)
    assert set(found.memory) == set(PARTS)
    assert found.calls > 2000
    assert found.chunks > 1000
    for part, memory in found.memory.items():
        per_call = memory.trend.least * 1e6 / 3600 / (found.calls / (found.seconds * 0.75))
        assert per_call < LEAK, part
        assert 10 < memory.last <= memory.peak


def steps(per_hour: float, noise: float, *, minutes: float = 10) -> list[tuple[float, float]]:
    """Memory grows by whole pages and stays."""
    drawn = random.Random(7)
    times = [second / 4 for second in range(int(minutes * 240))]
    return [(at, 60 + round(per_hour * at / 3600 / 0.05) * 0.05 + drawn.gauss(0, noise)) for at in times]


def test_growth_is_told_from_noise() -> None:
    leaking = trend(steps(6.0, 0.3))
    assert leaking.least > 1.0
    assert abs(leaking.slope - 6.0) < leaking.margin < 3.0
    flat = trend(steps(0.0, 0.3))
    assert flat.least < 1.0
    assert abs(flat.slope) < 1.0


def test_one_step_is_no_growth_that_is_sure() -> None:
    once = [(at, 60.0 if at < 290 else 60.3) for at in range(600)]
    assert trend(once).least < 1.0 < trend(once).slope


def test_a_straight_line_has_its_slope_and_no_margin() -> None:
    found = trend([(float(at), 50 + at / 3600) for at in range(60)])
    assert found.slope == pytest.approx(1.0)
    assert found.margin == pytest.approx(0.0, abs=1e-6)


def test_too_few_samples_are_no_trend() -> None:
    with pytest.raises(ValueError, match="too few"):
        trend([(0.0, 1.0), (1.0, 1.0)])
