"""The sums of usage are compared with the rows that they are of."""

from datetime import datetime
from typing import Final

from billing_worker.job import Context, Report
from ledger import alerts
from ledger.database import Connection, reading, transaction
from ledger.periods import Period
from ledger.rollups import AMOUNTS
from ledger.usage_partitions import months, partition_name

KIND: Final = "usage_sums_differ"
_SECONDS: Final = 900.0
_OF_ROWS: Final = {
    "records": "count(*)",
    "requests": "count(*) filter (where strpos(request_id, '.') = 0)",
    "first_bytes": "count(first_byte_ms)",
}


async def rollups(context: Context, at: datetime) -> Report:
    """Of each month in the table, by organization: rows, sums by hour, sums by day. A difference is an alert."""
    differing: list[str] = []
    async with reading(context.pool) as connection:
        all_months = await months(connection)
    for month in all_months:
        async with reading(context.pool) as connection:
            found = await _differing(connection, month)
        name = f"{month.start:%Y-%m}"
        async with transaction(context.pool) as connection:
            if found:
                differing.append(name)
                message = f"sums of {name} are not those of the usage of {len(found)} organizations"
                await alerts.raise_(
                    connection, KIND, name, "error", message, at=at, detail={"organizations": found[:20]}
                )
            else:
                await alerts.resolve(connection, KIND, name, at=at)
    return {"months": len(all_months), "differing": differing}


async def _differing(connection: Connection, month: Period) -> list[str]:
    """Organizations. What was archived of the month, and so is in the sums alone, is left out of them."""
    of_rows = ", ".join(f"{_OF_ROWS.get(name, f'coalesce(sum({name}), 0)')}::numeric" for name in AMOUNTS)
    of_sums = ", ".join(f"sum({name})::numeric" for name in AMOUNTS)
    archived = await connection.fetchval(
        "select exists (select from usage_archive where month = $1)", month.start.date()
    )
    which = "used <> hours or used <> days" if not archived else "hours <> days"
    rows = await connection.fetch(
        "select organization_id from"
        f" (select organization_id, array[{of_rows}] as used from {partition_name(month.start)} group by 1) as r"
        " full join (select organization_id,"
        f"  array[{of_sums}] as hours from usage_hour where starts_at >= $1 and starts_at < $2 group by 1) as h"
        "  using (organization_id)"
        " full join (select organization_id,"
        f"  array[{of_sums}] as days from usage_day where starts_at >= $1 and starts_at < $2 group by 1) as d"
        "  using (organization_id)"
        f" where (used is null and not $3) or hours is null or days is null or {which} order by 1",
        *(month.start, month.end, archived),
        timeout=_SECONDS,
    )
    return [row["organization_id"] for row in rows]
