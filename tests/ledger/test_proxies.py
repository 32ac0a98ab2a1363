from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from ledger import proxies
from ledger.database import Pool, close_pool, open_pool
from ledger.migrations import migrate

SILENCE = timedelta(seconds=60)


@pytest.fixture
async def pool(empty_database_url: str) -> AsyncIterator[Pool]:
    await migrate(empty_database_url)
    made = await open_pool(empty_database_url, size=1)
    yield made
    await close_pool(made)


async def say(pool: Pool, name: str) -> list[str]:
    async with pool.acquire() as connection:
        await proxies.say(connection, name, SILENCE)
        return await proxies.names(connection)


async def minutes_pass(pool: Pool, *names: str) -> None:
    await pool.execute(
        "update proxy_process set seen_at = seen_at - interval '5 minutes' where name = any($1)", names
    )


async def test_who_says_nothing_while_another_does_is_taken_for_dead(pool: Pool) -> None:
    assert await say(pool, "one") == ["one"]
    assert await say(pool, "two") == ["one", "two"]
    await minutes_pass(pool, "one")
    assert await say(pool, "two") == ["two"]
    assert await say(pool, "one") == ["one", "two"]


async def test_after_an_outage_whoever_comes_back_first_takes_nobody_for_dead(pool: Pool) -> None:
    await say(pool, "one")
    await say(pool, "two")
    await minutes_pass(pool, "one", "two")
    assert await say(pool, "two") == ["one", "two"]


async def test_who_left_is_on_the_roll_no_more(pool: Pool) -> None:
    await say(pool, "one")
    async with pool.acquire() as connection:
        await proxies.leave(connection, "one")
        assert await proxies.names(connection) == []
