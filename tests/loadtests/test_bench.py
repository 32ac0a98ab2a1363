"""The benchmark in its shortest form: it runs, nothing fails, and what it says adds up."""

import shutil

import pytest

from loadtests.bench.run import Figure, Wish, run
from loadtests.bench.scenarios import scenario
from loadtests.stand.errors import StandError

needs_a_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="the clients are in C: a compiler is needed"
)


@needs_a_compiler
def test_calls_and_streams_go_through_the_product_as_a_user_starts_it_and_are_measured() -> None:
    shown: list[Figure] = []
    scenarios = [scenario("c4", 1.5), scenario("s4", 1.0), scenario("slow4", 1.0)]
    told = run(Wish(["direct", "tollkeeper"], scenarios, rounds=1, durable=True), shown.append)
    assert shown == told.figures
    assert [(each.scenario, each.target) for each in shown] == [
        (each.name, target) for each in scenarios for target in ("direct", "tollkeeper")
    ]
    assert [(each.errors, each.reason) for each in shown] == [(0, "")] * 6
    direct, ours = (each for each in shown if each.scenario == "c4")
    assert direct.rate > ours.rate > 10
    assert direct.p50 < ours.p50 < ours.p99
    assert {"tollkeeper", "drain", "redis", "postgres", "upstream"} == set(ours.cpu)
    assert all(used > 0 for part, used in ours.cpu.items() if part not in ("drain", "postgres"))
    assert ours.resident_mb > 20
    paced = next(each for each in shown if (each.scenario, each.target) == ("s4", "tollkeeper"))
    assert 0 < paced.chunk_rate < 450  # four streams of a chunk every 10 ms at most
    assert paced.relay_p99 > 0
    assert 0 < told.ready_seconds < 30


@pytest.mark.parametrize("name", ["c0", "64", "x64", "c64s", ""])
def test_a_scenario_that_does_not_exist_is_named(name: str) -> None:
    with pytest.raises(StandError, match="is no scenario"):
        scenario(name, 1)
