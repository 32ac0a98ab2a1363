"""What is asked of a target: names such as c64 (clients, JSON), s256 (streams of 100 chunks, 10 ms apart)."""

import re
from dataclasses import dataclass
from typing import Final

from loadtests.stand.errors import StandError
from loadtests.stand.load import Pace, Wish

SPEED: Final = ("c1", "c16", "c64", "c256", "s64", "s256")
SLOW: Final = "slow1000"
"""To be measured first, for its memory: what other scenarios took is not given back."""
_PACED: Final = Pace(10, 100)
_SLOW: Final = Pace(1000, 60)
_NAME: Final = re.compile(r"(c|s|slow)([1-9]\d{0,3})")


@dataclass(frozen=True)
class Scenario:
    name: str
    wish: Wish

    @property
    def streams(self) -> bool:
        return self.wish.pace is not None


def scenario(name: str, seconds: float) -> Scenario:
    """`cN`: N clients, JSON; `sN`: N paced streams; `slowN`: N streams of one chunk a second. Raises StandError."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise StandError(f"{name} is no scenario: they are c, s or slow and a number of clients, such as c64")
    kind, clients = match[1], int(match[2])
    if kind == "c":
        return Scenario(name, Wish(clients, seconds))
    if kind == "s":
        return Scenario(name, Wish(clients, seconds, warm=1.5, spread=1.0, pace=_PACED))
    return Scenario(name, Wish(clients, max(seconds, 5.0), warm=3.0, spread=2.0, pace=_SLOW))
