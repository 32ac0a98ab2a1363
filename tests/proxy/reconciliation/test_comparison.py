"""A difference is what counters have too much, and only what stands in two looks counts."""

from proxy.quota.amounts import NOTHING, Amounts
from proxy.reconciliation.comparison import COUNTED, Comparison, Held, Look, compare, standing

FULL = {"r": 3, "t": 30, "m": 300, "b": 3000, "hr": 1, "ht": 10, "hm": 100, "hb": 1000, "c": 2}


def look(**wrong: int) -> Look:
    """One scope that is right but for what `wrong` adds to its counters."""
    return Look(
        {"o:a": {name: value + wrong.get(name, 0) for name, value in FULL.items()}},
        {"o:a": Held(Amounts(1, 10, 100, 1000), 2)},
        {"o:a": Amounts(2, 20, 200, 2000)},
        {"o:a": Amounts(1, 10, 100, 1000)},
    )


def differing(found: list[Comparison]) -> dict[str, tuple[int, int]]:
    return {each.measure: (each.difference, each.held_difference) for each in found if each.differs}


def test_counters_that_are_the_ledger_and_what_is_on_its_way_do_not_differ() -> None:
    found = compare(look())
    assert [each.measure for each in found] == list(COUNTED)
    assert differing(found) == {}


def test_every_counter_is_compared() -> None:
    for name in FULL:
        used = name in ("r", "t", "m", "b")
        expected = (7, 0) if used else (0, 7)
        assert differing(compare(look(**{name: 7}))) == {name.removeprefix("h"): expected}


def test_only_what_stands_in_both_looks_counts() -> None:
    for first, second, stands in (
        (5, 5, 5),
        (5, 8, 5),
        (8, 5, 5),
        (-5, -2, -2),
        (5, 0, 0),
        (0, 5, 0),
        (5, -5, 0),
    ):
        found = standing(compare(look(t=first, hm=first)), compare(look(t=second, hm=second)))
        expected = {"t": (stands, 0), "m": (0, stands)} if stands else {}
        assert differing(found) == expected


def test_counters_that_came_between_the_looks_are_no_difference() -> None:
    empty = Look({}, {}, {}, {})
    assert differing(standing(compare(empty), compare(look(t=5)))) == {}
    nothing = Look(
        {"o:a": dict.fromkeys(FULL, 0)}, {"o:a": Held(NOTHING, 0)}, {"o:a": NOTHING}, {"o:a": NOTHING}
    )
    assert differing(compare(nothing)) == {}
