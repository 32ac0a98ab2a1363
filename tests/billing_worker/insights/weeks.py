"""Days of usage with a known trend, a known week and known noise."""

from random import Random

WEEK = (1.0, 1.1, 1.2, 1.1, 1.0, 0.3, 0.2)


def days(
    count: int, *, seed: int, noise: float = 0.1, base: float = 1000.0, trend: float = 2.0
) -> list[float]:
    random = Random(seed)
    return [
        max(0.0, (base + trend * day) * WEEK[day % 7] * (1 + noise * random.gauss(0, 1)))
        for day in range(count)
    ]
