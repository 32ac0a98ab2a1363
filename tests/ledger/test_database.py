import asyncio

import asyncpg
import pytest

from ledger.database import DatabaseUnavailable, Pool, answers, close_pool, open_pool, reading, transaction


async def test_jsonb_is_any_json_value_both_ways(pool: Pool) -> None:
    values: list[object] = [{"a": [1, "é", None]}, [], "text", 7, True]
    async with reading(pool) as connection:
        for value in values:
            assert await connection.fetchval("select $1::jsonb", value) == value


async def test_a_failed_block_leaves_nothing(pool: Pool) -> None:
    async def fail() -> None:
        async with transaction(pool) as connection:
            await connection.execute("insert into organization (id, name) values ('org_1', 'x')")
            raise FileNotFoundError("no outage")

    with pytest.raises(FileNotFoundError):
        await fail()
    async with reading(pool) as connection:
        assert await connection.fetchval("select count(*) from organization") == 0


async def test_an_absent_server_is_an_outage_and_no_reason_not_to_start() -> None:
    pool = await open_pool("postgresql://postgres@127.0.0.1:1/none")
    with pytest.raises(DatabaseUnavailable):
        async with reading(pool):
            pass
    assert not await answers(pool)
    await close_pool(pool)


async def test_a_connection_cut_in_the_middle_is_an_outage_and_the_next_one_works(pool: Pool) -> None:
    async def be_cut() -> None:
        async with transaction(pool) as connection, reading(pool) as other:
            await other.execute("select pg_terminate_backend($1)", connection.get_server_pid())
            await connection.fetchval("select pg_sleep(5)")

    with pytest.raises(DatabaseUnavailable):
        await be_cut()
    assert await answers(pool)


async def test_a_mistake_in_a_query_is_no_outage(pool: Pool) -> None:
    for query in ("select $1::int", "select nothing_there"):
        with pytest.raises((asyncpg.InterfaceError, asyncpg.UndefinedColumnError)):
            async with reading(pool) as connection:
                await connection.fetchval(query)


async def test_waiting_for_a_free_connection_is_bounded(database_url: str) -> None:
    pool = await open_pool(database_url, size=1)
    async with reading(pool), asyncio.timeout(5):
        with pytest.raises(DatabaseUnavailable):
            async with reading(pool, acquire_seconds=0.05):
                pass
    await close_pool(pool)


async def test_a_statement_that_takes_too_long_is_an_outage(database_url: str) -> None:
    pool = await open_pool(database_url, command_seconds=0.1)
    with pytest.raises(DatabaseUnavailable):
        async with reading(pool) as connection:
            await connection.execute("select pg_sleep(10)")
    assert await answers(pool)
    await close_pool(pool)
