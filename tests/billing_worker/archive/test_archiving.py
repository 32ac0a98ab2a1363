"""A month that is archived is still all there, and is gone from the table only then."""

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from billing_worker.app import run_once
from billing_worker.archive import parquet
from billing_worker.archive.archiving import Busy, archive_month
from billing_worker.rating.ledger_usage import LedgerUsage
from billing_worker.rating.usage import summed
from config.settings import Settings, load_settings
from ledger.archive import parts
from ledger.archive.store import ArchiveUnavailable, open_store
from ledger.archive.usage import ArchivedUsage
from ledger.database import Connection, Pool, reading, transaction
from ledger.pages import MAX_ROWS, Position, Slice
from ledger.periods import Period, month_of
from ledger.service_levels import ServiceLevel, measure
from ledger.usage_filter import Filter
from ledger.usage_partitions import ensure_month, months
from ledger.usage_rows import UsageRow, rows
from ledger.usage_sums import sums
from tests.archives import bucket
from tests.usage import enter

OLD = datetime(2025, 9, 1, tzinfo=UTC)
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
ALL = Filter()


@pytest.fixture(params=["directory", "bucket"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "directory":
        yield str(tmp_path / "archive")
    else:
        with bucket(tmp_path) as made:
            yield made


@pytest.fixture
def settings(database_url: str, url: str) -> Settings:
    return load_settings({"DATABASE_URL": database_url, "TOLLKEEPER_ARCHIVE_URL": url})


async def fill(pool: Pool, count: int = 40, start: datetime = OLD, seed: int = 1) -> None:
    """Rows from half a month before `start` on, over two months."""
    chance = random.Random(seed)
    for number in range(count):
        await enter(
            pool,
            f"req_{seed}_{number:03}",
            chance.choice(("org_a", "org_b")),
            occurred_at=start
            + timedelta(days=-15, minutes=chance.randrange(45 * 24 * 60), microseconds=number),
            project_id=chance.choice((None, "proj_1", "")),
            model=chance.choice(("a", 'b,"\n', "é")),
            quantities=chance.choice(({}, {"images": 2})),
            search_term=chance.choice((None, "", "a 'b' \"c\", \\N\r\n")),
            first_byte_ms=chance.choice((None, 0, 7)),
            price_nano=0,
            cost_nano_usd=chance.choice((0, 2**62, -3)),
            usd_per_eur=chance.choice((Decimal("1.16"), Decimal("0.000001"))),
            stream=chance.random() < 0.5,
        )


async def everything(
    pool: Pool, archive: ArchivedUsage, size: int = MAX_ROWS, **names: Any
) -> list[UsageRow]:
    """All rows, read piece by piece."""
    found: list[UsageRow] = []
    async with reading(pool) as connection:
        while True:
            after = found[-1].position if found else None
            piece = await rows(connection, Filter(**names), Slice(size, after), archive)
            found += piece
            if len(piece) < size:
                return found


async def attached(pool: Pool) -> list[str]:
    async with reading(pool) as connection:
        return [f"{month.start:%Y-%m}" for month in await months(connection)]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and "usage" in path.name)


async def test_what_was_archived_is_found_again_row_by_row_as_it_was(
    settings: Settings, pool: Pool, url: str, tmp_path: Path
) -> None:
    await fill(pool)
    await fill(pool, start=AT, seed=2)
    archive = ArchivedUsage(url)
    before = await everything(pool, archive)
    await run_once(settings, "archive", AT)
    assert await attached(pool) == ["2026-11", "2026-12"]
    assert files(tmp_path) == ["usage-2025-08-1.parquet", "usage-2025-09-1.parquet"]
    assert await everything(pool, archive) == before
    assert await everything(pool, archive, size=7) == before
    start = OLD - timedelta(days=2)
    some: dict[str, Any] = {"organization_id": "org_a", "model": "é", "start": start, "end": AT}
    chosen = [row for row in before if row.organization_id == "org_a" and row.model == "é"]
    assert await everything(pool, archive, size=2, **some) == [
        row for row in chosen if start <= row.timestamp < AT
    ]


async def told(pool: Pool, archive: ArchivedUsage, wanted: Filter) -> Any:
    """By sums, by hours, by entries."""
    async with transaction(pool) as connection:
        source = LedgerUsage(connection, archive)
        period = Period(wanted.start or OLD, wanted.end or AT)
        return (
            await sums(connection, wanted, ("organization", "model", "day"), limit=1000, archive=archive),
            summed(await source.sums("org_a", period)),
            await source.tokens_by_hour("org_a", period),
            [entry async for entry in source.entries("org_a", period)],
        )


async def test_sums_hours_and_records_of_archived_time_are_what_they_were_also_where_an_hour_is_cut(
    settings: Settings, pool: Pool, url: str
) -> None:
    await fill(pool, count=60)
    async with reading(pool) as connection:
        first = await connection.fetchval(
            "select min(occurred_at) from usage where organization_id = 'org_a'"
        )
    spans = [
        ALL,
        Filter(first, first + timedelta(minutes=1)),
        Filter(first + timedelta(microseconds=1), AT),
        Filter(OLD - timedelta(days=3, minutes=17), OLD + timedelta(days=4, minutes=29)),
        Filter(OLD - timedelta(minutes=30), OLD + timedelta(minutes=30)),
    ]
    archive = ArchivedUsage(url)
    before = [await told(pool, archive, span) for span in spans]
    await run_once(settings, "archive", AT)
    assert await attached(pool) == []
    assert [await told(pool, archive, span) for span in spans] == before


async def test_how_well_an_organization_was_served_is_told_alike_of_archived_time(
    settings: Settings, pool: Pool, url: str
) -> None:
    chance = random.Random(4)
    for number in range(120):
        await enter(
            pool,
            f"req_{number}",
            chance.choice(("org_a", "org_a", "org_b")),
            occurred_at=OLD + timedelta(minutes=chance.randrange(60), microseconds=number),
            status=chance.choice((200, 200, 500, 0, 429)),
            outcome=chance.choice(("completed", "upstream_cut", "stopped")),
            endpoint=chance.choice(("chat/completions", "/v1/realtime")),
            first_byte_ms=chance.choice((None, 0, 80, number)),
            duration_ms=chance.randrange(9_000),
            price_nano=0,
        )
    spans = [month_of(OLD, "UTC"), Period(OLD + timedelta(minutes=7, seconds=3), OLD + timedelta(minutes=40))]
    archive = ArchivedUsage(url)

    async def measured() -> list[ServiceLevel]:
        async with reading(pool) as connection:
            return [await measure(connection, "org_a", span, archive) for span in spans]

    before = await measured()
    assert all(level.minutes_down and level.failed and level.latency_ms_p95 for level in before)
    await run_once(settings, "archive", AT)
    assert await attached(pool) == []
    assert await measured() == before
    async with reading(pool) as connection:
        with pytest.raises(ArchiveUnavailable):
            await measure(connection, "org_a", spans[0])
        assert (await measure(connection, "org_none", spans[0], archive)).requests == 0
    # What comes late for such a month is counted with it.
    await enter(pool, "req_late", "org_a", occurred_at=OLD + timedelta(minutes=9), status=500, price_nano=0)
    assert [level.failed for level in await measured()] == [level.failed + 1 for level in before]


async def test_records_that_come_after_their_month_was_archived_go_into_a_further_file(
    settings: Settings, pool: Pool, url: str, tmp_path: Path
) -> None:
    await fill(pool)
    await run_once(settings, "archive", AT)
    await fill(pool, seed=3)
    archive = ArchivedUsage(url)
    before = await everything(pool, archive, size=9)
    assert len(before) == 80
    await run_once(settings, "archive", AT)
    assert files(tmp_path) == [
        f"usage-2025-{month}-{part}.parquet" for month in ("08", "09") for part in (1, 2)
    ]
    assert await everything(pool, archive, size=9) == before
    assert await attached(pool) == []


async def customer(
    pool: Pool, name: str, start: datetime, end: datetime | None = None, currency: str = "EUR"
) -> None:
    """An organization with this id, and a plan of its own."""
    async with transaction(pool) as connection:
        await connection.execute("insert into organization (id, name) values ($1, $1)", name)
        await connection.execute("insert into plan (id, name, currency) values ($1, $1, $2)", name, currency)
        await connection.execute(
            "insert into subscription (id, organization_id, organization_no, plan_id, starts_at, ends_at)"
            " select $1, id, no, $1, $2, $3 from organization where id = $1",
            *(name, start, end),
        )


async def test_months_that_are_kept_and_those_not_invoiced_stay(
    settings: Settings, pool: Pool, url: str
) -> None:
    for month in (8, 9, 10, 11):
        await enter(
            pool, f"req_{month}", "org_a", occurred_at=datetime(2025, month, 30, tzinfo=UTC), price_nano=0
        )
    await enter(
        pool, "req_sold", "org_b", occurred_at=datetime(2025, 9, 30, 23, 59, tzinfo=UTC), price_nano=1
    )
    await customer(pool, "org_b", datetime(2025, 9, 12, tzinfo=UTC))
    await run_once(settings, "archive", AT)
    assert await attached(pool) == ["2025-09", "2025-10", "2025-11"]
    async with reading(pool) as connection:
        report = await connection.fetchval("select report from job_run where job = 'archive'")
        assert report["waiting"] == ["2025-09: 1 not invoiced, such as org_b"]
        await connection.execute(
            "with made as (insert into closing (payer_id, currency, closed_at) values ('org_b', 'EUR', now())"
            " returning id) insert into closing_span (closing_id, organization_id, organization_no, currency,"
            " starts_at, ends_at) select made.id, 'org_b', no, 'EUR', '2025-08-31 22:00Z', '2025-09-30 22:00Z'"
            " from made, organization where organization.id = 'org_b'"
        )
    await run_once(settings, "archive", AT)
    assert await attached(pool) == ["2025-09", "2025-10", "2025-11"]  # its last hours are the next period's
    async with reading(pool) as connection:
        await connection.execute("update usage set occurred_at = occurred_at - interval '4 hours'")
    await run_once(settings, "archive", AT)
    assert await attached(pool) == ["2025-10", "2025-11"]


async def test_usage_that_nobody_will_ever_invoice_keeps_no_month(
    settings: Settings, pool: Pool, url: str
) -> None:
    await customer(pool, "org_late", datetime(2025, 10, 1, tzinfo=UTC))
    await customer(pool, "org_gone", datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 6, 30, tzinfo=UTC))
    await customer(pool, "org_dollars", datetime(2025, 1, 1, tzinfo=UTC), currency="USD")
    for number, who in enumerate(("org_late", "org_gone", "org_dollars", "org_none")):
        await enter(pool, f"req_{number}", who, occurred_at=OLD + timedelta(days=3), price_nano=5)
    await run_once(settings, "archive", AT)
    assert await attached(pool) == []


async def test_without_a_place_for_it_nothing_is_archived(database_url: str, pool: Pool) -> None:
    await fill(pool)
    await run_once(load_settings({"DATABASE_URL": database_url}), "archive", AT)
    assert await attached(pool) == ["2025-08", "2025-09"]


async def test_who_does_not_know_where_the_archive_is_says_so_and_gives_no_part_for_the_whole(
    settings: Settings, pool: Pool, url: str
) -> None:
    await fill(pool)
    await run_once(settings, "archive", AT)
    async with reading(pool) as connection:
        with pytest.raises(ArchiveUnavailable, match="TOLLKEEPER_ARCHIVE_URL"):
            await rows(connection, ALL, Slice())
        with pytest.raises(ArchiveUnavailable, match="usage-2025-09-1"):
            await rows(connection, ALL, Slice(), ArchivedUsage("/nowhere"))
        assert await rows(connection, Filter(start=AT), Slice()) == []
        whole_days = Filter(OLD, OLD + timedelta(days=2))
        await sums(connection, whole_days, ("day",), limit=10)


async def counted(connection: Connection) -> tuple[int, int]:
    rows_left = await connection.fetchval("select count(*) from usage")
    return rows_left, await connection.fetchval("select coalesce(sum(rows), 0)::bigint from usage_archive")


async def test_a_month_that_is_written_to_meanwhile_stays_until_it_is_quiet(
    pool: Pool, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(pool)
    store, month = open_store(url), month_of(OLD, "UTC")
    loop = asyncio.get_running_loop()
    whole = parquet.sums_in_file

    def late(*told: Any) -> Any:
        entering = enter(pool, "req_late", "org_a", occurred_at=OLD)
        asyncio.run_coroutine_threadsafe(entering, loop).result(10)
        return whole(*told)

    monkeypatch.setattr(parquet, "sums_in_file", late)
    with pytest.raises(Busy, match="written to"):
        await archive_month(pool, store, month)
    async with reading(pool) as connection:
        assert await counted(connection) == (41, 0)
    monkeypatch.undo()
    part = await archive_month(pool, store, month)
    assert part is not None
    async with reading(pool) as connection:
        assert sum(await counted(connection)) == 41


async def test_a_file_that_does_not_hold_what_was_written_is_noticed_and_nothing_is_dropped(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(pool)
    store, month = open_store(str(tmp_path)), month_of(OLD, "UTC")
    whole = parquet.write

    def torn(csv: int, store: Any, name: str, columns: Any) -> parquet.Written:
        written = whole(csv, store, name, columns)
        path = tmp_path / name
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        return written

    monkeypatch.setattr(parquet, "write", torn)
    with pytest.raises(ArchiveUnavailable, match="not in the store as it was written"):
        await archive_month(pool, store, month)
    async with reading(pool) as connection:
        assert await counted(connection) == (40, 0)


async def test_a_place_that_cannot_be_written_to_fails_the_run_and_nothing_is_dropped(
    pool: Pool, tmp_path: Path
) -> None:
    await fill(pool)
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveUnavailable):
        await archive_month(pool, open_store(str(tmp_path / "file")), month_of(OLD, "UTC"))
    async with reading(pool) as connection:
        assert await counted(connection) == (40, 0)


async def test_two_at_once_archive_a_month_once(pool: Pool, url: str) -> None:
    await fill(pool)
    store, month = open_store(url), month_of(OLD, "UTC")
    outcomes = await asyncio.gather(
        *(archive_month(pool, store, month) for _ in range(3)), return_exceptions=True
    )
    assert sum(isinstance(each, parts.Part) for each in outcomes) == 1
    assert all(isinstance(each, parts.Part | Busy | asyncpg.UndefinedTableError) for each in outcomes)


async def test_a_month_without_rows_leaves_no_file(settings: Settings, pool: Pool, tmp_path: Path) -> None:
    async with reading(pool) as connection:
        await ensure_month(connection, OLD)
    await run_once(settings, "archive", AT)
    assert await attached(pool) == []
    assert files(tmp_path) == []


async def test_the_list_is_read_from_any_place_also_within_one_instant(
    settings: Settings, pool: Pool, url: str
) -> None:
    for number in range(9):
        await enter(pool, f"req_{number}", "org_a", occurred_at=OLD, price_nano=0)
    await run_once(settings, "archive", AT)
    archive = ArchivedUsage(url)
    async with reading(pool) as connection:
        found = await rows(connection, ALL, Slice(3, Position(OLD, "req_5")), archive)
    assert [row.request_id for row in found] == ["req_4", "req_3", "req_2"]
