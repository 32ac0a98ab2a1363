"""Any order of client, upstream, Redis and clock events ends in exactly one settlement, or in none before the hold."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.life import Action, Life, State

EVENTS = (
    "admitted",
    "refused",
    "admission_unknown",
    "head_arrived",
    "answer_ended",
    "upstream_failed",
    "client_left",
    "hold_lost",
    "stopping",
)
VERDICTS = ("admitted", "refused", "admission_unknown")
ENDS = ("answer_ended", "upstream_failed", "client_left", "stopping")


def live(events: list[str]) -> tuple[Life, list[Action]]:
    life, actions = Life(), list[Action]()
    for event in events:
        actions += getattr(life, event)()
    return life, actions


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_nothing_is_settled_or_released_twice(events: list[str]) -> None:
    life, actions = live(events)
    assert actions.count(Action.SETTLE) + actions.count(Action.RELEASE) <= 1
    assert actions.count(Action.FORWARD) <= 1
    assert actions.count(Action.RELAY_HEAD) <= 1
    assert (life.outcome is None) == (Action.SETTLE not in actions and life.outcome != "expired")


@given(st.lists(st.sampled_from(EVENTS), max_size=12), st.sampled_from(ENDS))
def test_an_admitted_request_that_ends_is_settled_once(events: list[str], end: str) -> None:
    # The end of an answer is an end only of one that began.
    last = ["head_arrived", end] if end == "answer_ended" else [end]
    before = [event for event in events if event not in (*VERDICTS, "hold_lost", "stopping")]
    life, actions = live([*(e for e in before if e == "client_left"), "admitted", *before, *last])
    assert life.state is State.SETTLED
    assert actions.count(Action.SETTLE) == 1


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_nothing_is_forwarded_without_a_hold_or_for_a_client_that_left(events: list[str]) -> None:
    _, actions = live([event for event in events if event != "admitted"])
    assert Action.FORWARD not in actions
    assert Action.SETTLE not in actions
    _, actions = live(["client_left", "admitted", *events])
    assert Action.FORWARD not in actions


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_the_client_gets_one_end_at_most(events: list[str]) -> None:
    _, actions = live(events)
    ends = [a for a in actions if a in (Action.END_CLIENT, Action.CUT_CLIENT, Action.ANSWER_ERROR)]
    assert len(ends) <= 1
    if Action.ANSWER_ERROR in ends:
        assert Action.RELAY_HEAD not in actions
    if ends and ends[0] is not Action.ANSWER_ERROR:
        assert Action.RELAY_HEAD in actions


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_a_request_given_up_closes_its_upstream(events: list[str]) -> None:
    life, actions = live(["admitted", *events])
    if life.outcome in ("client_gone", "stopped", "expired"):
        assert Action.CLOSE_UPSTREAM in actions


@given(st.sampled_from(["refused", "admission_unknown"]), st.lists(st.sampled_from(EVENTS), max_size=12))
def test_a_request_that_was_not_admitted_is_never_settled(verdict: str, events: list[str]) -> None:
    _, actions = live([verdict, *events])
    assert Action.SETTLE not in actions
    assert actions.count(Action.RELEASE) == (verdict == "admission_unknown")
