from datetime import UTC, datetime

from billing_worker.app import run_once
from config.settings import Settings
from ledger import alerts
from ledger.database import Pool, reading
from tests.usage import enter

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)


async def open_alerts(pool: Pool) -> list[tuple[str, list[str]]]:
    async with reading(pool) as connection:
        return [
            (alert.object, alert.detail["organizations"])
            for alert in await alerts.listing(connection, ended=False, kind="usage_sums_differ")
        ]


async def test_a_difference_between_rows_and_sums_is_an_alert_until_it_is_gone(
    settings: Settings, pool: Pool
) -> None:
    for number, organization in enumerate(("org_a", "org_a", "org_b", "org_c")):
        await enter(pool, f"req_{number}", organization, first_byte_ms=None if number else 5)
    await enter(pool, "req_old", "org_a", occurred_at=datetime(2026, 10, 31, 23, 59, tzinfo=UTC))
    await run_once(settings, "rollups", AT)
    assert await open_alerts(pool) == []

    async with reading(pool) as connection:
        await connection.execute(
            "update usage_hour set price_nano = price_nano + 1 where organization_id = 'org_b'"
        )
        await connection.execute("delete from usage_day where organization_id = 'org_c'")
        await connection.execute("alter table usage disable trigger usage_removed")
        await connection.execute("delete from usage where request_id = 'req_old'")
        await connection.execute("alter table usage enable trigger usage_removed")
    await run_once(settings, "rollups", AT)
    assert sorted(await open_alerts(pool)) == [("2026-10", ["org_a"]), ("2026-11", ["org_b", "org_c"])]

    async with reading(pool) as connection:
        await connection.execute("delete from usage_sum where starts_at < '2026-11-01Z'")
    await run_once(settings, "rollups", AT)
    assert await open_alerts(pool) == [("2026-11", ["org_b", "org_c"])]
