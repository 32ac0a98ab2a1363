"""Months of usage are made before they come."""

from datetime import datetime

from ledger.database import Pool, reading
from ledger.periods import month_after, month_of
from ledger.usage_partitions import ensure_month

MONTHS_AHEAD = 3


async def partitions(pool: Pool, at: datetime) -> None:
    """Creates the partitions of this UTC month and of the three after it."""
    month = month_of(at, "UTC")
    async with reading(pool) as connection:
        for _ in range(1 + MONTHS_AHEAD):
            await ensure_month(connection, month.start)
            month = month_after(month, "UTC")
