"""Months of usage are made before they come."""

from datetime import datetime

from billing_worker.job import Context, Report
from ledger.database import reading
from ledger.periods import month_after, month_of
from ledger.usage_partitions import ensure_month, partition_name

MONTHS_AHEAD = 3


async def partitions(context: Context, at: datetime) -> Report:
    """Creates the partitions of this UTC month and of the three after it."""
    made = []
    month = month_of(at, "UTC")
    async with reading(context.pool) as connection:
        for _ in range(1 + MONTHS_AHEAD):
            if await ensure_month(connection, month.start):
                made.append(partition_name(month.start))
            month = month_after(month, "UTC")
    return {"made": made}
