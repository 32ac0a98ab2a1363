from datetime import UTC, datetime

from billing_worker.app import run_once
from config.settings import Settings
from ledger.database import Pool, reading

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)


async def test_months_of_usage_are_made_ahead(settings: Settings, pool: Pool) -> None:
    await run_once(settings, "partitions", AT)
    await run_once(settings, "partitions", AT)
    async with reading(pool) as connection:
        rows = await connection.fetch(
            "select relname from pg_inherits join pg_class on pg_class.oid = inhrelid"
            " where inhparent = 'usage'::regclass order by 1"
        )
        reports = await connection.fetch("select report from job_run where job = 'partitions' order by id")
    made = ["usage_2026_11", "usage_2026_12", "usage_2027_01", "usage_2027_02"]
    assert [row["relname"] for row in rows] == made
    assert [row["report"] for row in reports] == [{"made": made}, {"made": []}]
