"""The conservation test in its short form; `make conservation` is the long one."""

from pathlib import Path

import pytest

from loadtests.conservation.run import Wish, run
from loadtests.conservation.schedule import KINDS, schedule


@pytest.mark.timeout(300)
def test_served_recorded_counted_and_invoiced_stay_the_same_whatever_is_killed(tmp_path: Path) -> None:
    wish = Wish(seed=45, seconds=28, clients=30, proxies=3, every=2.3)
    outcome = run(wish)
    outcome.write(tmp_path / "outcome.json", wish)
    verdict = outcome.verdict
    assert verdict.differences == [], outcome.figure
    assert verdict.exact > 100
    assert verdict.broken_off > 10
    assert {fault.kind for fault in outcome.faults} == set(KINDS)


def test_a_run_can_be_repeated() -> None:
    assert list(schedule(7, 60, 3)) == list(schedule(7, 60, 3))
    assert list(schedule(7, 60, 3)) != list(schedule(8, 60, 3))
