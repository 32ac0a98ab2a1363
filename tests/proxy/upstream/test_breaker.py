"""The breaker against any order of beginnings, outcomes and time."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from proxy.upstream.breaker import Breaker, Pass, State

THRESHOLD, COOL_DOWN = 3, 10.0


def open_breaker(now: float = 0.0) -> Breaker:
    breaker = Breaker(THRESHOLD, COOL_DOWN)
    for _ in range(THRESHOLD):
        breaker.failed(begun(breaker, now), now)
    return breaker


def begun(breaker: Breaker, now: float) -> Pass:
    given = breaker.begin(now)
    assert given is not None
    return given


def test_it_opens_at_the_failure_that_reaches_the_threshold() -> None:
    breaker = Breaker(THRESHOLD, COOL_DOWN)
    for _ in range(THRESHOLD - 1):
        breaker.failed(begun(breaker, 0), 0)
        assert breaker.state(0) is State.CLOSED
    breaker.failed(begun(breaker, 0), 0)
    assert breaker.state(0) is State.OPEN
    assert breaker.begin(COOL_DOWN - 0.01) is None


def test_a_success_in_between_begins_the_count_anew() -> None:
    breaker = Breaker(THRESHOLD, COOL_DOWN)
    for _ in range(10):
        breaker.failed(begun(breaker, 0), 0)
        breaker.failed(begun(breaker, 0), 0)
        breaker.succeeded(begun(breaker, 0))
    assert breaker.state(0) is State.CLOSED


def test_after_the_cool_down_one_request_tries_alone() -> None:
    breaker = open_breaker()
    probe = begun(breaker, COOL_DOWN)
    assert breaker.begin(COOL_DOWN) is None
    breaker.succeeded(probe)
    assert breaker.state(COOL_DOWN) is State.CLOSED


def test_a_failed_probe_opens_it_for_another_cool_down() -> None:
    breaker = open_breaker()
    breaker.failed(begun(breaker, COOL_DOWN), COOL_DOWN + 1)
    assert breaker.begin(2 * COOL_DOWN) is None
    assert breaker.begin(2 * COOL_DOWN + 1) is not None


def test_a_probe_whose_client_left_makes_room_for_the_next() -> None:
    breaker = open_breaker()
    breaker.abandoned(begun(breaker, COOL_DOWN))
    assert breaker.begin(COOL_DOWN) is not None


def test_what_began_before_it_opened_neither_closes_nor_prolongs_it() -> None:
    breaker = Breaker(THRESHOLD, COOL_DOWN)
    early = [begun(breaker, 0) for _ in range(2)]
    for _ in range(THRESHOLD):
        breaker.failed(begun(breaker, 0), 0)
    breaker.succeeded(early[0])
    breaker.failed(early[1], 5)
    assert breaker.state(5) is State.OPEN
    assert breaker.state(COOL_DOWN) is State.PROBING


def test_an_attempt_that_had_nowhere_else_to_go_closes_it_when_it_succeeds() -> None:
    breaker = open_breaker()
    breaker.failed(breaker.begin_anyway(), 5)
    assert breaker.state(COOL_DOWN) is State.PROBING
    breaker.succeeded(breaker.begin_anyway())
    assert breaker.state(5) is State.CLOSED


class AnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(THRESHOLD, COOL_DOWN)
        self.now = 0.0
        self.running: list[Pass] = []
        self.era = 0

    @rule(seconds=st.floats(0, 15))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def begin(self) -> None:
        admitted = self.breaker.admits(self.now)
        given = self.breaker.begin(self.now)
        assert (given is not None) is admitted
        if given is not None:
            self.running.append(given)

    @rule()
    def begin_anyway(self) -> None:
        self.running.append(self.breaker.begin_anyway())

    @precondition(lambda self: self.running)
    @rule(data=st.data(), outcome=st.sampled_from(["succeeded", "failed", "abandoned"]))
    def end(self, data: st.DataObject, outcome: str) -> None:
        given = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        if outcome == "failed":
            self.breaker.failed(given, self.now)
        else:
            getattr(self.breaker, outcome)(given)

    @invariant()
    def at_most_one_tries_an_open_upstream(self) -> None:
        era = self.breaker.begin_anyway().era
        probes = [given for given in self.running if given.probe and given.era == era]
        assert len(probes) <= 1
        if self.breaker.state(self.now) is State.PROBING:
            assert self.breaker.admits(self.now) is not bool(probes)

    @invariant()
    def it_is_never_stuck(self) -> None:
        later = self.now + COOL_DOWN + 1
        era = self.breaker.begin_anyway().era
        assert self.breaker.admits(later) or any(given.probe and given.era == era for given in self.running)


TestAnyOrder = AnyOrder.TestCase
