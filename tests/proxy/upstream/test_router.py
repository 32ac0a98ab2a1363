import random
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from config.upstreams.schema import Entry
from proxy.upstream.router import Bound, Router, Way


def entry(name: str, **given: Any) -> Entry:
    return Entry.model_validate({"name": name, "base_url": "http://a", **given})


def router(*entries: Entry, seed: int = 1) -> Router[str]:
    return Router([(each, each.name) for each in entries], random.Random(seed).random)


def names(made: Router[str], model: str, bound: Bound = Bound.NOT, down: str = "") -> list[str]:
    return [way.upstream for way in made.ways(model, bound, lambda way: way.upstream not in down)]


def test_an_upstream_serves_the_patterns_and_aliases_it_lists_or_else_everything() -> None:
    made = router(
        entry("patterns", models=["gpt-4o*", "o[1]"]),
        entry("aliases", aliases={"fast": "llama", "gpt-4o": "ours"}),
        entry("all"),
    )
    assert set(names(made, "gpt-4o")) == {"patterns", "aliases", "all"}
    assert set(names(made, "gpt-4o-mini")) == {"patterns", "all"}
    assert set(names(made, "o[1]")) == {"patterns", "all"}
    assert set(names(made, "o1")) == {"all"}
    assert Way("aliases", "llama") in made.ways("fast", Bound.NOT, lambda _: True)


def test_nobody_serves_a_model_that_none_lists() -> None:
    assert router(entry("a", models=["gpt-*"])).ways("llama", Bound.NOT, lambda _: True) == ()


def test_patterns_end_where_the_name_ends() -> None:
    assert names(router(entry("a", models=["gpt-4o"])), "gpt-4o-mini") == []


def test_the_lower_priority_goes_first_whatever_the_weights() -> None:
    made = router(entry("second", priority=1, weight=1000), entry("first"), entry("third", priority=2))
    for _ in range(50):
        assert names(made, "m") == ["first", "second", "third"]


def test_equals_share_by_weight() -> None:
    made = router(entry("a", weight=3), entry("b", weight=1))
    first = Counter(names(made, "m")[0] for _ in range(4000))
    assert 0.72 < first["a"] / 4000 < 0.78


def test_the_same_seed_gives_the_same_order() -> None:
    entries = [entry(name) for name in "abcd"]
    one, other = router(*entries, seed=5), router(*entries, seed=5)
    assert [names(one, "m") for _ in range(20)] == [names(other, "m") for _ in range(20)]


def test_one_that_is_down_is_left_out_unless_all_are() -> None:
    made = router(entry("a"), entry("b", priority=1))
    assert names(made, "m", down="a") == ["b"]
    assert names(made, "m", down="ab") == ["a", "b"]


def test_what_lies_at_a_models_home_is_asked_for_there_only() -> None:
    made = router(entry("late", priority=1), entry("home", models=["m"]), entry("twin", models=["m"]))
    for _ in range(20):
        assert names(made, "m", Bound.ONLY) == ["home"]
        assert names(made, "m", Bound.ONLY, down="home") == ["home"]
        assert names(made, "m", Bound.FIRST) == ["home", "twin", "late"]
        assert names(made, "m", Bound.FIRST, down="home") == ["twin", "late"]
        assert names(made, "", Bound.ONLY) == ["home"]


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 3), st.booleans()), min_size=1, max_size=6))
def test_every_ready_upstream_comes_once_and_by_priority(given: list[tuple[int, int, bool]]) -> None:
    entries = [entry(str(at), weight=weight, priority=rank) for at, (weight, rank, _) in enumerate(given)]
    down = {str(at) for at, (_, _, is_down) in enumerate(given) if is_down}
    ways = router(*entries).ways("m", Bound.NOT, lambda way: way.upstream not in down)
    found = [way.upstream for way in ways]
    everybody = {each.name for each in entries}
    assert len(found) == len(set(found))
    assert set(found) == (everybody - down or everybody)
    ranks = [given[int(name)][1] for name in found]
    assert ranks == sorted(ranks)
