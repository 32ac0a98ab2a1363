"""The life of a request as a state machine without I/O: events in, actions out.

    ASKED -> FORWARDED -> RELAYING -> SETTLED
      \\__________\\____________________/

Whatever the order of events, a request that was admitted is settled once, and one that was not, never.
"""

from enum import Enum, auto

from ledger.usage_record import Outcome


class State(Enum):
    ASKED = auto()
    """The admission script has been asked."""
    FORWARDED = auto()
    """The hold is taken and the upstream is asked."""
    RELAYING = auto()
    """The upstream's answer has begun."""
    SETTLED = auto()


class Action(Enum):
    FORWARD = auto()
    RELAY_HEAD = auto()
    CLOSE_UPSTREAM = auto()
    SETTLE = auto()
    RELEASE = auto()
    """The hold, if there is one, is given back: nobody knows whether the admission was written."""
    ANSWER_ERROR = auto()
    """The client gets an error of ours: nothing of an answer has been sent."""
    END_CLIENT = auto()
    CUT_CLIENT = auto()
    """The client's connection is closed before the end of the answer, as the upstream's was."""


Actions = tuple[Action, ...]
_NOTHING: Actions = ()


class Life:
    """One request, from the question of admission to its settlement.

    Each method is an event and returns the actions it calls for, in order. An event that comes too late, or twice,
    calls for nothing. `outcome` is how it ended, once SETTLE has been called for.
    """

    __slots__ = ("_client_left", "outcome", "state")

    def __init__(self) -> None:
        self.state = State.ASKED
        self.outcome: Outcome | None = None
        self._client_left = False

    def admitted(self) -> Actions:
        if self.state is not State.ASKED:
            return _NOTHING
        if self._client_left:
            return self._settle("client_gone")
        self.state = State.FORWARDED
        return (Action.FORWARD,)

    def refused(self) -> Actions:
        return self._never(Action.ANSWER_ERROR)

    def admission_unknown(self) -> Actions:
        """Redis did not answer in time; it may have written the hold all the same."""
        return self._never(Action.RELEASE, Action.ANSWER_ERROR)

    def head_arrived(self) -> Actions:
        if self.state is not State.FORWARDED:
            return _NOTHING
        self.state = State.RELAYING
        return (Action.RELAY_HEAD,)

    def answer_ended(self) -> Actions:
        if self.state is not State.RELAYING:
            return _NOTHING
        return self._settle("completed", after=(Action.END_CLIENT,))

    def upstream_failed(self) -> Actions:
        if self.state is State.FORWARDED:
            return self._settle("upstream_error", after=(Action.ANSWER_ERROR,))
        if self.state is State.RELAYING:
            return self._settle("upstream_cut", after=(Action.CUT_CLIENT,))
        return _NOTHING

    def client_left(self) -> Actions:
        if self.state is State.ASKED:
            self._client_left = True
            return _NOTHING
        if self.state is State.SETTLED:
            return _NOTHING
        return self._settle("client_gone", before=(Action.CLOSE_UPSTREAM,))

    def hold_lost(self) -> Actions:
        """The hold expired and was swept, so the request is settled already and must not use any more."""
        if self.state in (State.ASKED, State.SETTLED):
            return _NOTHING
        cut = Action.CUT_CLIENT if self.state is State.RELAYING else Action.ANSWER_ERROR
        self.state, self.outcome = State.SETTLED, "expired"
        return (Action.CLOSE_UPSTREAM, cut)

    def stopping(self) -> Actions:
        """The server shuts down and waits no longer, or whoever drives this request was cancelled."""
        if self.state is State.ASKED:
            return self._never(Action.RELEASE)
        if self.state is State.SETTLED:
            return _NOTHING
        cut = Action.CUT_CLIENT if self.state is State.RELAYING else Action.ANSWER_ERROR
        return self._settle("stopped", before=(Action.CLOSE_UPSTREAM,), after=(cut,))

    def _settle(self, outcome: Outcome, *, before: Actions = (), after: Actions = ()) -> Actions:
        self.state, self.outcome = State.SETTLED, outcome
        return (*before, Action.SETTLE, *after)

    def _never(self, *actions: Action) -> Actions:
        if self.state is not State.ASKED:
            return _NOTHING
        self.state = State.SETTLED
        return actions
