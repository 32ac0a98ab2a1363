import pytest

from billing_worker.insights.anomalies import anomalies
from tests.billing_worker.insights.weeks import days

COUNT = 84


def places(history: list[float], *, least: float = 0.0) -> list[int]:
    return [each.place for each in anomalies(history, least=least)]


def test_plain_weeks_hold_next_to_nothing_unusual() -> None:
    assert sum(len(places(days(COUNT, seed=seed))) for seed in range(30)) <= 2


@pytest.mark.parametrize(("factor", "is_high"), [(4, True), (0, False)])
def test_an_injected_day_is_found(factor: float, is_high: bool) -> None:
    for seed in range(20):
        history = days(COUNT, seed=seed)
        # A Wednesday.
        history[72] *= factor
        found = {each.place: each for each in anomalies(history)}
        assert 72 in found, seed
        assert (found[72].score > 0) == is_high
        assert found[72].expected == pytest.approx(1000 * 1.2 + 72 * 2.4, rel=0.35)


def test_one_peak_does_not_hide_the_next() -> None:
    history = days(COUNT, seed=7)
    for place in (60, 67, 74):
        history[place] *= 5
    assert {60, 67, 74} <= set(places(history))


def test_plain_days_after_a_peak_stay_plain() -> None:
    history = days(COUNT, seed=7)
    history[60] *= 50
    assert places(history) == [60]


def test_a_new_level_is_soon_the_usual_one() -> None:
    history = days(COUNT, seed=7, noise=0.05)
    history[56:] = [value * 3 for value in history[56:]]
    found = places(history)
    assert {56, 57, 58} <= set(found)
    assert not [place for place in found if place >= 77]


def test_little_is_never_unusual() -> None:
    history = [0.0] * 40 + [5.0] + [0.0] * 10
    assert places(history) == [40]
    assert places(history, least=10) == []


def test_a_short_past_is_not_judged() -> None:
    assert places([1.0] * 26 + [1000.0]) == []
    assert places([0.0] * 60) == []
