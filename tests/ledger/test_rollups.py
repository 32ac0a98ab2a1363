"""Sums that are kept are the sums of the rows, whatever is asked and however the rows came and went."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import rollups
from ledger.database import Connection, Pool, close_pool, open_pool, reading
from ledger.migrations import known, migrate
from ledger.rollups import AMOUNTS, DIMENSIONS, Parts, Span, parts
from ledger.usage import TOKENS
from ledger.usage_filter import Filter
from ledger.usage_partitions import ensure_month
from ledger.usage_sums import GroupKey, sums

START = datetime(2026, 1, 30, 22, tzinfo=UTC)
HOURS = 80
COLUMNS = (*DIMENSIONS, *AMOUNTS, "latencies", "quantities")
ROWS = 400


def made(chance: random.Random, number: int) -> dict[str, Any]:
    tokens = {name: chance.choice((0, 1, 7, 100)) for name in TOKENS}
    return {
        "request_id": f"req_{number}" + chance.choice(("", "", "", ".2")),
        "occurred_at": START
        + timedelta(seconds=chance.randrange(HOURS * 3600), microseconds=chance.choice((0, 1))),
        "organization_id": chance.choice(("org_a", "org_b")),
        "project_id": chance.choice((None, "proj_1")),
        "key_id": chance.choice((None, "key_1", "key_2")),
        "member_id": chance.choice((None, "mem_1")),
        "endpoint": chance.choice(("chat/completions", "x" * 3_000)),
        "model": chance.choice(("a", "b", "é,b")),
        "upstream": "openai",
        "stream": chance.random() < 0.5,
        "status": chance.choice((200, 429, 500)),
        "outcome": "completed",
        **tokens,
        "quantities": chance.choice(({}, {"images": 2}, {"images": 1, "seconds": 5})),
        "cost_nano_usd": chance.randrange(10**12),
        "cost_nano_eur": chance.randrange(10**12),
        "price_nano": chance.randrange(-5, 10**12),
        "price_nano_tokens": chance.randrange(10**12),
        "price_nano_eur": chance.randrange(10**12),
        "currency": chance.choice(("EUR", "USD")),
        "usd_per_eur": "1.15",
        "usage_source": "provider",
        "request_bytes": chance.randrange(1000),
        "response_bytes": chance.randrange(1000),
        "first_byte_ms": chance.choice((None, 0, 40)),
        "duration_ms": chance.choice((0, 49, 50, 51, 119_999, 120_000, 10**6)),
    }


async def enter(connection: Connection, rows: list[dict[str, Any]]) -> None:
    for month in {row["occurred_at"].replace(day=1) for row in rows}:
        await ensure_month(connection, month)
    names = ", ".join(rows[0])
    await connection.execute(
        f"insert into usage ({names}) select {names} from jsonb_populate_recordset(null::usage, $1)"
        " on conflict do nothing",
        [orjson.loads(orjson.dumps(row)) for row in rows],
    )


async def fill(connection: Connection, seed: int) -> None:
    chance = random.Random(seed)
    rows = [made(chance, number) for number in range(ROWS)]
    while rows:
        some, rows = rows[: (size := chance.randrange(1, 60))], rows[size:]
        await enter(connection, some)
        await enter(connection, some[:2])  # delivered again


@pytest.fixture
async def filled(pool: Pool) -> Pool:
    async with reading(pool) as connection:
        await fill(connection, 1)
    return pool


async def totals(connection: Connection, usage: str, values: list[Any], by: tuple[str, ...]) -> list[Any]:
    amounts = ", ".join(f"sum({name}) as {name}" for name in AMOUNTS)
    keys = ", ".join(by)
    return [
        tuple(row)
        for row in await connection.fetch(
            f"select {keys}, {amounts}, usage_latencies_sum(latencies), usage_quantities_sum(quantities)"
            f" from ({usage}) as used group by {keys} order by {keys}",
            *values,
        )
    ]


def from_rows(wanted: Filter, values: list[Any]) -> str:
    own = {name: f"coalesce({name}, '') as {name}" for name in ("project_id", "key_id", "member_id")} | {
        "records": "1 as records",
        "requests": "case when request_id like '%.%' then 0 else 1 end as requests",
        "first_bytes": "case when first_byte_ms is null then 0 else 1 end as first_bytes",
        "first_byte_ms": "coalesce(first_byte_ms, 0) as first_byte_ms",
        "latencies": "usage_latencies_of(duration_ms) as latencies",
    }
    names = ", ".join(own.get(name, name) for name in COLUMNS)
    return f"select occurred_at as at, {names} from usage where {wanted.condition(values)}"


moments = st.none() | st.integers(-4, HOURS * 4 + 4).flatmap(
    lambda quarter: st.sampled_from((0, 1, 900_000_000 - 1)).map(
        lambda more: START + timedelta(minutes=15 * quarter, microseconds=more)
    )
)
filters = st.builds(
    Filter,
    start=moments,
    end=moments,
    organization_id=st.sampled_from((None, "org_a", "org_c")),
    project_id=st.sampled_from((None, None, "proj_1")),
    key_id=st.sampled_from((None, None, "key_2")),
    model=st.sampled_from((None, None, "é,b")),
)
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SLOW
@given(wanted=filters, by=st.lists(st.sampled_from(DIMENSIONS), min_size=1, max_size=4, unique=True))
async def test_what_is_kept_is_the_sum_of_the_rows_for_every_span_filter_and_grouping(
    filled: Pool, wanted: Filter, by: list[str]
) -> None:
    async with reading(filled) as connection:
        kept, plain = list[Any](), list[Any]()
        usage = rollups.source(wanted, kept, COLUMNS)
        assert await totals(connection, usage, kept, tuple(by)) == await totals(
            connection, from_rows(wanted, plain), plain, tuple(by)
        )


@SLOW
@given(wanted=filters, cuts=st.lists(moments.filter(bool), max_size=4))
async def test_sums_may_be_cut_anywhere_also_in_the_middle_of_an_hour(
    filled: Pool, wanted: Filter, cuts: list[datetime]
) -> None:
    async with reading(filled) as connection:
        kept, plain = list[Any](), list[Any]()
        usage = rollups.source(wanted, kept, COLUMNS, grain="hour", cuts=cuts)
        wholes = " + ".join(f"(at >= '{cut.isoformat()}')::int" for cut in cuts) or "0"
        by = (f"date_trunc('day', at, 'UTC') + interval '1 second' * ({wholes})",)
        assert await totals(connection, usage, kept, by) == await totals(
            connection, from_rows(wanted, plain), plain, by
        )


@SLOW
@given(
    wanted=filters,
    by=st.lists(
        st.sampled_from(("organization", "project", "model", "day", "hour", "status", "upstream")),
        min_size=1,
        max_size=3,
        unique=True,
    ),
    limit=st.integers(1, 20),
)
async def test_the_console_reads_them_piece_by_piece_without_loss_or_repetition(
    filled: Pool, wanted: Filter, by: list[GroupKey], limit: int
) -> None:
    async with reading(filled) as connection:
        whole = await sums(connection, wanted, tuple(by), limit=10_000)
        after, found = None, []
        while piece := await sums(connection, wanted, tuple(by), limit=limit, after=after):
            found += piece
            after = piece[-1][0]
        assert found == whole
        values: list[Any] = []
        count = await connection.fetchval(
            f"select count(*) from usage where {wanted.condition(values)}", *values
        )
        assert sum(total.requests for _, total in whole) == count


@given(start=moments, end=moments, cuts=st.lists(moments.filter(bool), max_size=3), at=moments.filter(bool))
def test_every_instant_is_in_one_part_and_only_whole_hours_and_days_are_taken_from_sums(
    start: datetime | None, end: datetime | None, cuts: list[datetime], at: datetime
) -> None:
    split = parts(Span(start, end), cuts=cuts)

    def inside(span: Span) -> bool:
        return (span.start is None or span.start <= at) and (span.end is None or at < span.end)

    hour = at.replace(minute=0, second=0, microsecond=0)
    holding = [span for span in (*split.days, *split.rows) if inside(span)]
    holding += [span for span in split.hours if inside(span) and hour not in split.cut]
    assert len(holding) == (1 if inside(Span(start, end)) else 0)
    for span in split.hours:
        assert all(edge is None or edge.minute == edge.second == edge.microsecond == 0 for edge in span)
    for span in split.days:
        assert all(edge is None or edge.hour == edge.minute == edge.second == 0 for edge in span)


def test_a_month_of_paris_is_days_and_the_hours_at_its_edges() -> None:
    start, end = datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert parts(Span(start, end)) == Parts(
        days=[Span(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC))],
        hours=[
            Span(start, datetime(2026, 3, 1, tzinfo=UTC)),
            Span(datetime(2026, 3, 31, tzinfo=UTC), end),
        ],
        rows=[],
        cut=[],
    )


async def differing(connection: Connection) -> list[Any]:
    kept, plain = list[Any](), list[Any]()
    usage = rollups.source(Filter(), kept, COLUMNS)
    hourly = rollups.source(Filter(), [], COLUMNS, grain="hour")
    rows = await totals(connection, from_rows(Filter(), plain), plain, DIMENSIONS)
    found = [await totals(connection, each, [], DIMENSIONS) for each in (usage, hourly)]
    assert kept == plain == []
    return [each for each in found if each != rows]


async def test_rows_that_are_removed_or_changed_leave_the_sums_right_and_no_empty_one_behind(
    connection: Connection,
) -> None:
    await fill(connection, 2)
    await connection.execute("delete from usage where model = 'a' or quantities <> '{}' and status = 500")
    await connection.execute("update usage set member_id = null, price_nano = price_nano + 1 where stream")
    await connection.execute(
        "update usage set occurred_at = occurred_at + interval '1 hour' where model = 'b'"
    )
    assert await differing(connection) == []
    assert await connection.fetchval("select count(*) from usage_sum where records <= 0") == 0
    await connection.execute("delete from usage")
    assert await connection.fetchval("select count(*) from usage_sum") == 0


async def test_what_is_undone_is_in_no_sum(connection: Connection) -> None:
    await fill(connection, 3)
    undone = connection.transaction()
    await undone.start()
    await connection.execute("delete from usage where model = 'a'")
    await undone.rollback()
    assert await differing(connection) == []


async def test_many_who_write_the_same_sums_at_once_do_not_fail_and_lose_nothing(pool: Pool) -> None:
    chance = random.Random(4)
    rows = [made(chance, number) for number in range(800)]

    async def write(part: list[dict[str, Any]]) -> None:
        async with reading(pool, acquire_seconds=60) as connection:
            for start in range(0, len(part), 20):
                some = sorted(part[start : start + 20], key=lambda row: str(row["request_id"]))
                await enter(connection, some)

    await asyncio.gather(*(write(chance.sample(rows, len(rows))) for _ in range(5)))
    async with reading(pool) as connection:
        assert await connection.fetchval("select count(*) from usage") == 800
        assert await differing(connection) == []


async def test_rows_that_were_there_before_are_summed_up_when_the_schema_is_brought_up_to_date(
    empty_database_url: str,
) -> None:
    history = known()
    of_sums = [each.name for each in history].index("0012_rollups")
    await migrate(empty_database_url, history[:of_sums])
    pool = await open_pool(empty_database_url)
    async with reading(pool) as connection:
        await fill(connection, 5)
        await migrate(empty_database_url, history[: of_sums + 1])
        assert await connection.fetchval("select count(*) from usage_day") > 0
        assert await differing(connection) == []
    await close_pool(pool)


async def test_a_sum_that_no_column_holds_refuses_the_row_and_spoils_nothing(connection: Connection) -> None:
    chance = random.Random(6)
    one = made(chance, 1) | {"price_nano": 2**62}
    await enter(connection, [one])
    other = one | {"request_id": "req_other"}
    with pytest.raises(Exception, match="out of range"):
        await enter(connection, [other])
    assert await differing(connection) == []
