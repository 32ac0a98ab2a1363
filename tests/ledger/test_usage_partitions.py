import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ledger.database import Connection, Pool, reading
from ledger.usage_partitions import ensure_month, partition_name


async def test_the_month_is_the_utc_month(connection: Connection) -> None:
    instant = datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert partition_name(instant) == "usage_2026_11"
    assert await ensure_month(connection, instant)
    bounds = await connection.fetchval(
        "select pg_get_expr(relpartbound, oid) from pg_class where relname = 'usage_2026_11'"
    )
    assert bounds == "FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-12-01 00:00:00+00')"
    assert not await ensure_month(connection, instant)


async def test_raced_by_ten_it_is_created_once(pool: Pool) -> None:
    async def one() -> bool:
        async with reading(pool) as connection:
            return await ensure_month(connection, datetime(2027, 2, 3, tzinfo=UTC))

    assert sum(await asyncio.gather(*(one() for _ in range(10)))) == 1


async def test_it_does_not_wait_for_those_who_use_another_month(pool: Pool) -> None:
    async with reading(pool) as busy, reading(pool) as connection:
        await ensure_month(busy, datetime(2026, 1, 1, tzinfo=UTC))
        async with busy.transaction():
            await busy.execute("lock table usage in row exclusive mode")
            async with asyncio.timeout(5):
                assert await ensure_month(connection, datetime(2026, 2, 1, tzinfo=UTC))


async def test_a_naive_time_is_refused(connection: Connection) -> None:
    with pytest.raises(ValueError, match="time zone"):
        await ensure_month(connection, datetime(2026, 1, 1))  # noqa: DTZ001
