"""The allowance without Redis: over all processes never more than the stated part of what was left."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.limits import Limits
from proxy.quota.admission import Admitted
from proxy.quota.allowance import Allowance
from proxy.quota.amounts import Amounts, Demand
from proxy.quota.limits import Scope

START = 1_000
UNLIMITED = Scope.of("k:one", Limits())


class Ticks:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def allowance(ticks: Ticks, percent: int = 20, *, processes: int = 1, per_minute: int = 10**6) -> Allowance:
    return Allowance(percent, per_minute, lambda: processes, ticks)


def seen(*scopes: Scope, minute: int = 0, period: int = 0) -> Admitted:
    return Admitted(1, START, 1, (minute, period) * 4 * len(scopes))


def demand(tokens: int = 10, output: int = 20, least: int = 20, **changes: bool) -> Demand:
    return Demand(tokens, 0, output, least, 1, **changes)


@given(
    left=st.integers(0, 10_000),
    percent=st.integers(0, 100),
    processes=st.integers(1, 5),
    wishes=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 300), st.integers(0, 300), st.booleans())),
)
def test_all_processes_together_use_no_more_than_their_part(
    left: int, percent: int, processes: int, wishes: list[tuple[int, int, int, bool]]
) -> None:
    scope = Scope.of("o:one", Limits(tokens_per_month=20_000))
    ticks = Ticks()
    each = [allowance(ticks, percent, processes=processes) for _ in range(processes)]
    for one in each:
        one.saw((scope,), seen(scope, period=20_000 - left))
    used = 0
    for number, (which, tokens, output, ends) in enumerate(wishes):
        one = each[which % processes]
        granted = one.grant(str(number), (scope,), demand(tokens, output, 0), 1, START)
        if granted is None:
            continue
        assert granted.output <= output
        amount = tokens + granted.output
        if ends:
            amount //= 2
            one.ended(str(number), Amounts(1, amount, 0))
        used += amount
    assert used <= left * percent // 100


def test_what_ends_gives_back_what_it_did_not_use_and_only_once() -> None:
    scope, one = Scope.of("o:one", Limits(tokens_per_month=500)), allowance(Ticks())
    one.saw((scope,), seen(scope))
    assert one.grant("a", (scope,), demand(), 1, START) is not None
    for _ in range(3):
        one.ended("a", Amounts(1, 5, 0))
    assert [one.grant(name, (scope,), demand(), 1, START) is not None for name in "bcde"] == [True] * 3 + [
        False
    ]


def test_the_tightest_scope_decides() -> None:
    organization, key = (
        Scope.of("o:one", Limits(tokens_per_month=5000)),
        Scope.of("k:one", Limits(tokens_per_month=150)),
    )
    one = allowance(Ticks())
    one.saw((organization, key), seen(organization, key))
    granted = one.grant("a", (organization, key), demand(10, 50, 1), 1, START)
    assert granted is not None
    assert granted.output == 20


def test_a_new_month_is_unused() -> None:
    scope, one = Scope.of("o:one", Limits(requests_per_month=10)), allowance(Ticks())
    one.saw((scope,), seen(scope, period=10))
    assert one.grant("a", (scope,), demand(), 1, START) is None
    assert one.grant("b", (scope,), demand(), 1, START + 1) is not None


def test_minutes_pass_without_redis_too() -> None:
    scope, ticks = Scope.of("o:one", Limits(requests_per_minute=10)), Ticks()
    one = allowance(ticks)
    one.saw((scope,), seen(scope, minute=5))
    assert [one.grant(name, (scope,), demand(), 1, START) is not None for name in "abc"] == [
        True,
        False,
        False,
    ]
    ticks.now += 63
    assert [one.grant(name, (scope,), demand(), 1, START) is not None for name in "def"] == [
        True,
        True,
        False,
    ]


def test_places_are_free_again_when_requests_end() -> None:
    scope, one = Scope.of("o:one", Limits(concurrent_requests=10)), allowance(Ticks())
    one.saw((scope,), seen(scope))
    assert [one.grant(name, (scope,), demand(), 1, START) is not None for name in "abc"] == [
        True,
        True,
        False,
    ]
    one.ended("a", Amounts(1, 1, 1))
    assert one.grant("d", (scope,), demand(), 1, START) is not None


def test_an_organization_that_was_not_seen_in_the_last_minute_with_redis_is_refused() -> None:
    scope, ticks = Scope.of("o:one", Limits(requests_per_month=100)), Ticks()
    one = allowance(ticks)
    assert one.grant("a", (scope,), demand(), 1, START) is None
    one.saw((scope,), seen(scope))
    ticks.now += 600
    # Redis has not been heard since.
    assert one.grant("b", (scope,), demand(), 1, START) is not None
    one.heard()
    assert one.grant("c", (scope,), demand(), 1, START) is None


def test_work_that_goes_on_for_long_is_not_let_on() -> None:
    one = allowance(Ticks())
    one.saw((UNLIMITED,), seen(UNLIMITED))
    assert one.grant("a", (UNLIMITED,), demand(paced=False), 1, START) is None
    assert one.grant("b", (UNLIMITED,), demand(), 1, START) is not None


def test_once_redis_knows_of_it_what_was_used_counts_no_longer_here() -> None:
    scope, one = Scope.of("o:one", Limits(requests_per_month=5)), allowance(Ticks())
    one.saw((scope,), seen(scope))
    assert one.grant("a", (scope,), demand(), 1, START) is not None
    one.ended("a", Amounts(1, 30, 0))
    assert one.grant("b", (scope,), demand(), 1, START) is None
    one.cleared()
    one.saw((scope,), seen(scope, period=0))
    assert one.grant("c", (scope,), demand(), 1, START) is not None
