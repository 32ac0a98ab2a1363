from ledger.database import Connection
from ledger.latencies import BOUNDS, percentile


async def test_the_database_counts_by_the_same_bounds(connection: Connection) -> None:
    assert tuple(await connection.fetchval("select usage_latency_bounds()")) == BOUNDS
    for ms in (0, 49, 50, 99, 119_999, 120_000, 10**9):
        counts = await connection.fetchval("select usage_latencies_of($1)", ms)
        index = sum(bound <= ms for bound in BOUNDS)
        assert counts == [int(number == index) for number in range(len(BOUNDS) + 1)]


def counted(*durations: int) -> list[int]:
    counts = [0] * (len(BOUNDS) + 1)
    for ms in durations:
        counts[sum(bound <= ms for bound in BOUNDS)] += 1
    return counts


def test_a_percentile_lies_between_the_bounds_of_those_that_it_parts() -> None:
    durations = [10 * number for number in range(1, 101)]
    assert 490 <= (percentile(counted(*durations), 0.5) or 0) <= 510
    assert 900 <= (percentile(counted(*durations), 0.95) or 0) <= 1_000
    assert percentile(counted(*[5] * 10), 1.0) == 50


def test_nothing_counted_has_no_percentile_and_what_is_beyond_the_last_bound_is_given_as_that() -> None:
    assert percentile(counted(), 0.5) is None
    assert percentile(counted(500_000), 0.5) == BOUNDS[-1]
