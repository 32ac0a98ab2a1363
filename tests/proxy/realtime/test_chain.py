"""Any order of a session's events leaves every hold settled, cut, noted or given back exactly once."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.realtime.chain import Action, Chain, Do

NAMES = ("a", "b", "c")
EVENTS = st.one_of(
    st.sampled_from(["grant", "refuse", "ask", "answered", "used", "stops"]).map(
        lambda kind: (kind, "", False)
    ),
    st.tuples(st.just("began"), st.sampled_from(NAMES), st.just(False)),
    st.tuples(st.just("done"), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("lost"), st.sampled_from(["1", "2", "3"]), st.just(False)),
)
Events = list[tuple[str, str, bool]]


class Driver:
    """Grants and refuses what was asked for, and keeps its own books of every turn."""

    def __init__(self) -> None:
        self.chain = Chain()
        self.wanted = 0
        self.granted = 0
        self.ends: dict[int, list[Do]] = {}
        self.lost: set[int] = set()
        self.actions: list[Action] = []
        self.passed = 0
        self.act(self.chain.opens())

    def act(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            self.actions.append(action)
            if action.do is Do.HOLD:
                self.wanted += 1
            elif action.turn is not None:
                self.ends[action.turn].append(action.do)

    def live(self, kind: str, name: str, used: bool) -> None:
        chain = self.chain
        if kind == "grant" and self.wanted:
            self.wanted -= 1
            self.granted += 1
            self.ends[self.granted] = []
            self.act(chain.granted(self.granted))
        elif kind == "refuse" and self.wanted:
            self.wanted -= 1
            self.act(chain.refused())
        elif kind == "ask":
            if chain.may_ask():
                self.passed += 1
            else:
                self.act(chain.wants_another())
        elif kind == "lost" and int(name) in self.ends and not self.ends[int(name)]:
            self.lost.add(int(name))
            self.act(chain.lost(int(name)))
        elif kind == "began":
            self.act(chain.began(name))
        elif kind == "done":
            self.act(chain.done(name, used=used))
        elif kind in ("answered", "used", "stops"):
            self.act(getattr(chain, kind)())

    def finish(self) -> None:
        """The session ends, and what was still being asked for is granted too late."""
        self.act(self.chain.ended())
        while self.wanted:
            self.live("grant", "", False)


def lived(events: Events) -> Driver:
    driver = Driver()
    for event in events:
        driver.live(*event)
    return driver


@given(st.lists(EVENTS, max_size=25))
def test_every_turn_comes_to_exactly_one_end(events: Events) -> None:
    driver = lived(events)
    driver.finish()
    for turn, ends in driver.ends.items():
        assert len(ends) == (turn not in driver.lost), (turn, ends)


@given(st.lists(EVENTS, max_size=25), st.lists(EVENTS, max_size=5))
def test_nothing_follows_the_end_but_what_comes_too_late_is_given_back(events: Events, late: Events) -> None:
    driver = lived(events)
    driver.finish()
    before = len(driver.actions)
    for event in late:
        driver.live(*event)
    driver.act(driver.chain.ended())
    assert driver.actions[before:] == []
    assert not driver.chain.holds
    assert not driver.chain.may_ask()


@given(st.lists(EVENTS, max_size=25))
def test_a_response_that_used_something_is_settled_though_it_had_no_hold(events: Events) -> None:
    driver = lived(events)
    settled = sum(action.do is Do.SETTLE for action in driver.actions)
    assert settled == sum(kind == "done" and used for kind, _, used in events)


@given(st.lists(EVENTS, max_size=25))
def test_only_a_session_that_used_nothing_leaves_a_note(events: Events) -> None:
    driver = lived(events)
    driver.finish()
    notes = [action for action in driver.actions if action.do is Do.NOTE]
    assert len(notes) <= 1
    if notes:
        assert not any(action.do in (Do.SETTLE, Do.CUT) for action in driver.actions)


@given(st.lists(EVENTS.filter(lambda event: event[0] not in ("began", "done", "answered")), max_size=25))
def test_no_more_wishes_pass_than_there_are_holds(events: Events) -> None:
    driver, lost = Driver(), 0
    for event in events:
        driver.live(*event)
        if not driver.passed:
            lost = len(driver.lost)  # a hold that is lost later may have let a wish pass
        assert driver.passed <= driver.granted - lost


@given(st.lists(EVENTS, max_size=25))
def test_nothing_passes_while_a_response_runs_without_a_hold_or_none_is_there(events: Events) -> None:
    driver = lived(events)
    if driver.chain.holds:
        open_turns = [turn for turn, ends in driver.ends.items() if not ends and turn not in driver.lost]
        assert open_turns


def test_the_next_hold_is_asked_for_when_a_response_is_settled() -> None:
    driver = lived([("grant", "", False), ("began", "a", False)])
    assert driver.wanted == 0
    driver.live("done", "a", True)
    assert driver.actions[-2:] == [Action(Do.SETTLE, 1), Action(Do.HOLD)]
    assert not driver.chain.holds
    driver.live("grant", "", False)
    assert driver.chain.holds


def test_a_refused_hold_ends_the_session_unless_a_response_still_has_one() -> None:
    driver = lived([("grant", "", False), ("began", "a", False), ("ask", "", False), ("refuse", "", False)])
    assert driver.actions[-1] == Action(Do.REFUSE)
    for event in (("done", "a", True), ("refuse", "", False)):
        driver.live(*event)
    assert driver.actions[-1] == Action(Do.END)


def test_responses_beside_each_other_have_a_hold_each() -> None:
    driver = lived([("grant", "", False), ("ask", "", False), ("ask", "", False)])
    assert (driver.passed, driver.wanted) == (1, 1)
    driver.live("grant", "", False)
    driver.live("ask", "", False)
    assert driver.passed == 2


def test_when_the_server_stops_no_hold_is_taken_any_more() -> None:
    driver = lived([("grant", "", False), ("began", "a", False), ("stops", "", False), ("done", "a", True)])
    assert driver.wanted == 0
