import asyncio
from datetime import UTC, datetime, timedelta

from ledger import alerts
from ledger.database import Connection, Pool, transaction

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


async def test_one_alert_is_open_for_a_kind_and_an_object_and_tells_the_latest(
    connection: Connection,
) -> None:
    assert await alerts.raise_(connection, "quota", "org_1", "warning", "80 %", at=NOON, detail={"part": 80})
    later = NOON + timedelta(hours=1)
    assert not await alerts.raise_(connection, "quota", "org_1", "error", "95 %", at=later)
    assert await alerts.raise_(connection, "quota", "org_2", "warning", "80 %", at=later)
    (other, alert) = await alerts.listing(connection)
    assert other.object == "org_2"
    assert (alert.severity, alert.message, alert.detail, alert.raised_at) == ("error", "95 %", {}, NOON)


async def test_what_has_ended_can_come_back_as_a_new_alert(connection: Connection) -> None:
    await alerts.raise_(connection, "quota", "org_1", "warning", "80 %", at=NOON)
    assert await alerts.resolve(connection, "quota", "org_1", at=NOON)
    assert not await alerts.resolve(connection, "quota", "org_1", at=NOON)
    assert await alerts.raise_(connection, "quota", "org_1", "warning", "80 %", at=NOON)
    assert len(await alerts.listing(connection)) == 2
    assert len(await alerts.listing(connection, ended=False)) == 1


async def test_raised_from_many_sides_at_once_it_is_one(pool: Pool) -> None:
    async def raised() -> bool:
        async with transaction(pool) as connection:
            return await alerts.raise_(connection, "job_failed", "rollup", "error", "failed", at=NOON)

    assert sorted(await asyncio.gather(*(raised() for _ in range(8)))) == [False] * 7 + [True]
