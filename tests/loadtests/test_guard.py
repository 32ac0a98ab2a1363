"""A call costs the proxy what it did, whatever the machine."""

import shutil
from pathlib import Path

import orjson
import pytest

from loadtests.guard.measure import measure
from loadtests.guard.reference import work
from loadtests.guard.stored import Costs, Stored, store

ROUNDS = 4


@pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="the clients are in C: a compiler is needed"
)
def test_neither_a_call_nor_a_chunk_costs_a_third_more_cpu_than_it_did() -> None:
    stored = Stored.load().costs
    # What a neighbour on the machine did to one run, it will hardly do to the next.
    if measure(ROUNDS).above(stored):
        assert measure(ROUNDS * 2).above(stored) == []


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (Costs(10.0, 1.0), 0),
        (Costs(5.0, 0.5), 0),
        (Costs(12.9, 1.29), 0),
        (Costs(13.1, 1.0), 1),
        (Costs(10.0, 1.31), 1),
        (Costs(20.0, 2.0), 2),
    ],
)
def test_what_costs_thirty_per_cent_more_is_told(now: Costs, told: int) -> None:
    assert len(now.above(Costs(10.0, 1.0))) == told


def test_what_is_stored_is_what_is_read(tmp_path: Path) -> None:
    store(Costs(9.5, 0.75), tmp_path / "guard.json")
    assert Stored.load(tmp_path / "guard.json").costs == Costs(9.5, 0.75)


def test_the_reference_does_the_work_that_stored_costs_are_measured_by() -> None:
    told = orjson.loads(work(b'{"model":"m"}'))
    assert told["digest"].startswith("dbddf2e9c8bf08c7")
    assert list(told["counted"].values()) == [315, 333, 351, 369, 387, 285, 300]
    assert (told["model"], len(told["padding"])) == ("m", 400)
