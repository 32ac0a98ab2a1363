import asyncio

import asyncpg
import pytest

from ledger import migrations
from ledger.database import close_pool, open_pool, reading
from ledger.migrations import Migration, MigrationError, known, migrate, pending

ONE = Migration("0001_one", "create table one (id int); insert into one values (1)")
TWO = Migration("0002_two", "insert into one values (2)")


async def ids(database_url: str) -> list[int]:
    connection = await asyncpg.connect(database_url)
    try:
        return [row["id"] for row in await connection.fetch("select id from one order by id")]
    finally:
        await connection.close()


async def test_runs_each_once_and_in_order(empty_database_url: str) -> None:
    assert await migrate(empty_database_url, [ONE, TWO]) == ["0001_one", "0002_two"]
    assert await migrate(empty_database_url, [ONE, TWO]) == []
    assert await ids(empty_database_url) == [1, 2]


async def test_ten_at_once_run_each_once(empty_database_url: str) -> None:
    done = await asyncio.gather(*(migrate(empty_database_url, [ONE, TWO]) for _ in range(10)))
    assert sorted(name for names in done for name in names) == ["0001_one", "0002_two"]
    assert await ids(empty_database_url) == [1, 2]


async def test_a_failure_leaves_nothing_behind_and_can_be_repeated(empty_database_url: str) -> None:
    bad = Migration("0002_two", "insert into one values (2); select 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty_database_url, [ONE, bad])
    assert await ids(empty_database_url) == [1]
    assert await migrate(empty_database_url, [ONE, TWO]) == ["0002_two"]


async def test_one_that_has_much_to_do_is_not_cut_off_as_one_that_waits_for_another_is(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 0.3)
    long = Migration("0001_long", "create table one (id int); select pg_sleep(0.8)")
    working = asyncio.create_task(migrate(empty_database_url, [long]))
    connection = await asyncpg.connect(empty_database_url)
    try:
        while not await connection.fetchval("select count(*) from pg_locks where locktype = 'advisory'"):
            await asyncio.sleep(0)
        with pytest.raises(MigrationError, match="another program"):
            await migrate(empty_database_url, [long])
    finally:
        await connection.close()
    assert await working == ["0001_long"]


async def test_a_changed_file_is_refused_by_name(empty_database_url: str) -> None:
    await migrate(empty_database_url, [ONE])
    with pytest.raises(MigrationError, match="0001_one was changed"):
        await migrate(empty_database_url, [Migration("0001_one", "select 1"), TWO])


async def test_a_newer_database_is_refused(empty_database_url: str) -> None:
    await migrate(empty_database_url, [ONE, TWO])
    with pytest.raises(MigrationError, match="newer than this program: it has migration 0002_two"):
        await migrate(empty_database_url, [ONE])


async def test_a_migration_cannot_slip_in_before_one_that_ran(empty_database_url: str) -> None:
    await migrate(empty_database_url, [later := Migration("0002_two", "select 1")])
    with pytest.raises(MigrationError, match="0001_one comes before 0002_two"):
        await migrate(empty_database_url, [ONE, later])


async def test_the_schema_itself_runs_and_nothing_is_pending_after(empty_database_url: str) -> None:
    pool = await open_pool(empty_database_url)
    try:
        async with reading(pool) as connection:
            assert await pending(connection) == [migration.name for migration in known()]
            await migrate(empty_database_url)
            assert await pending(connection) == []
    finally:
        await close_pool(pool)
