"""A circuit breaker as a state machine: no clock of its own, no I/O.

CLOSED --N failures in a row--> OPEN --cool-down--> PROBING --success--> CLOSED
                                  ^--------failure-----'
"""

from enum import Enum
from typing import NamedTuple


class State(Enum):
    CLOSED = 0
    PROBING = 1
    """The cool-down is over: one request may try."""
    OPEN = 2


class Pass(NamedTuple):
    """Given to each attempt, and given back with its outcome. What was begun before the latest change of state says
    nothing about the new one."""

    era: int
    probe: bool


class Breaker:
    """Times are seconds of any one monotonic clock."""

    __slots__ = ("_cool_down", "_era", "_failures", "_opened_at", "_probing", "_threshold")

    def __init__(self, threshold: int, cool_down: float) -> None:
        self._threshold = threshold
        self._cool_down = cool_down
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False
        self._era = 0

    def state(self, now: float) -> State:
        if self._opened_at is None:
            return State.CLOSED
        return State.OPEN if now - self._opened_at < self._cool_down else State.PROBING

    def admits(self, now: float) -> bool:
        """Whether `begin` would give a pass."""
        state = self.state(now)
        return state is State.CLOSED or (state is State.PROBING and not self._probing)

    def begin(self, now: float) -> Pass | None:
        """None while the upstream is to be left alone. Each pass is given back once."""
        if not self.admits(now):
            return None
        self._probing = self._opened_at is not None
        return Pass(self._era, self._probing)

    def begin_anyway(self) -> Pass:
        """For an attempt that has nowhere else to go."""
        return Pass(self._era, False)

    def succeeded(self, given: Pass) -> None:
        if given.era != self._era:
            return
        self._failures = 0
        if self._opened_at is not None:
            self._opened_at, self._probing = None, False
            self._era += 1

    def failed(self, given: Pass, now: float) -> None:
        if given.era != self._era:
            return
        self._failures += 1
        if given.probe or (self._opened_at is None and self._failures >= self._threshold):
            self._opened_at, self._probing = now, False
            self._failures = 0
            self._era += 1

    def abandoned(self, given: Pass) -> None:
        """The attempt ended without saying anything about the upstream."""
        if given.probe and given.era == self._era:
            self._probing = False
