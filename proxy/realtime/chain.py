"""The holds of a session as a state machine without I/O: events in, actions out.

A session always holds what one response may cost; a response takes that hold when it begins and is settled from it
when it is done, and then the next is asked for. Responses that run beside each other have a hold each. Turns are
numbers that whoever drives the chain gives to the holds it was granted.
"""

from enum import Enum, auto
from typing import NamedTuple


class Do(Enum):
    HOLD = auto()
    """Ask for the hold of another turn."""
    SETTLE = auto()
    """The turn's response is done: replace its hold by what was used. A response that began without a hold has no turn
    and is recorded all the same."""
    CUT = auto()
    """The session ends amid the turn's response: settle what was delivered of it."""
    NOTE = auto()
    """The session ends and never used anything: one record says that it was."""
    RELEASE = auto()
    """The turn was not needed: give its hold back."""
    REFUSE = auto()
    """There is no hold for one more response: whoever waits to begin one is told so."""
    END = auto()
    """The session may not go on."""


class Action(NamedTuple):
    do: Do
    turn: int | None = None


Actions = tuple[Action, ...]
_NOTHING: Actions = ()


class Chain:
    """Each method is an event and returns the actions it calls for, in order.

    Every turn that was granted is settled, cut, noted or released exactly once, unless its hold was lost.
    """

    def __init__(self) -> None:
        self._free: list[int] = []
        self._running: dict[str, int | None] = {}
        self._asked = 0
        self._holding = 0
        self._used = False
        self._last = False
        self._ending = False
        self._over = False

    @property
    def holds(self) -> bool:
        """Whether something may be sent that could lead to a response: nothing is under way without a hold."""
        return (
            not self._ending
            and not self._over
            and None not in self._running.values()
            and bool(self._free or self._running)
        )

    @property
    def busy(self) -> bool:
        """Whether a response is under way."""
        return bool(self._running)

    def turn_of(self, response: str) -> int | None:
        """The turn of a response that is under way; None where it has no hold yet."""
        return self._running.get(response)

    def opens(self) -> Actions:
        return self._hold()

    def granted(self, turn: int) -> Actions:
        self._holding -= 1
        if self._over or (self._last and self._used and not self._uncovered()):
            return (Action(Do.RELEASE, turn),)
        uncovered = self._uncovered()
        if uncovered:
            self._running[uncovered[0]] = turn
            return self._next()
        self._free.append(turn)
        return _NOTHING

    def refused(self) -> Actions:
        """A hold was refused, or nobody knows. Responses that have theirs may go on; without any the session ends."""
        self._holding -= 1
        if self._over:
            return _NOTHING
        if self._uncovered() or not (self._free or self._running):
            return self._end()
        return (Action(Do.REFUSE),)

    def may_ask(self) -> bool:
        """Whether the client's wish for a response may be passed on, each counted until it is answered."""
        if not self.holds or len(self._free) <= self._asked:
            return False
        self._asked += 1
        return True

    def wants_another(self) -> Actions:
        """A wish waits: it needs one hold more than there are."""
        if self._over or self._ending or len(self._free) + self._holding > self._asked:
            return _NOTHING
        return self._hold()

    def answered(self) -> Actions:
        """The server refused something of the client's, maybe its wish for a response."""
        self._asked = max(0, self._asked - 1)
        return _NOTHING

    def began(self, response: str) -> Actions:
        if self._over or response in self._running:
            return _NOTHING
        self._asked = max(0, self._asked - 1)
        self._running[response] = self._free.pop(0) if self._free else None
        if self._running[response] is not None or self._holding or self._ending:
            return _NOTHING
        return self._hold()

    def done(self, response: str, *, used: bool) -> Actions:
        """A response has ended; one that used nothing leaves its hold to the next."""
        if self._over:
            return _NOTHING
        turn = self._taken_by(response)
        if used:
            self._used = True
            return (Action(Do.SETTLE, turn), *self._next())
        if turn is not None:
            self._free.append(turn)
        return self._next()

    def used(self) -> Actions:
        """Something beside the responses was used: a transcription."""
        self._used = True
        return _NOTHING

    def lost(self, turn: int) -> Actions:
        """The hold of a turn expired and was swept, so it is settled already and nothing more may be used."""
        known = turn in self._free or turn in self._running.values()
        if self._over or not known:
            return _NOTHING
        self._free = [each for each in self._free if each != turn]
        self._running = {name: each for name, each in self._running.items() if each != turn}
        self._used = True
        return self._end()

    def stops(self) -> Actions:
        """No further response shall begin: what is under way is the last."""
        self._last = True
        return _NOTHING

    def ended(self) -> Actions:
        """The session is over, whoever ended it."""
        if self._over:
            return _NOTHING
        self._over = True
        actions = [Action(Do.CUT, turn) for turn in self._running.values()]
        free = list(self._free)
        if free and not self._used and not actions:
            actions.append(Action(Do.NOTE, free.pop(0)))
        self._free.clear()
        self._running.clear()
        return (*actions, *(Action(Do.RELEASE, turn) for turn in free))

    def _taken_by(self, response: str) -> int | None:
        if response in self._running:
            return self._running.pop(response)
        return self._free.pop(0) if self._free else None

    def _uncovered(self) -> list[str]:
        return [name for name, turn in self._running.items() if turn is None]

    def _next(self) -> Actions:
        if self._over or self._ending or self._last or self._holding or self._free or self._running:
            return _NOTHING
        return self._hold()

    def _end(self) -> Actions:
        if self._ending:
            return _NOTHING
        self._ending = True
        return (Action(Do.END),)

    def _hold(self) -> Actions:
        self._holding += 1
        return (Action(Do.HOLD),)
