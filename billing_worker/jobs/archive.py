"""Usage of long ago leaves the database for files."""

from datetime import datetime

from billing_worker.archive.archiving import archive_month
from billing_worker.invoicing.customers import AFTERMATH
from billing_worker.job import Context, Report
from ledger.archive import parts
from ledger.archive.store import open_store
from ledger.database import reading
from ledger.periods import Period, month_of
from ledger.usage_partitions import months


async def archive(context: Context, at: datetime) -> Report:
    """Archives the whole months of UTC before those that are kept. One with usage that is not invoiced yet waits."""
    settings = context.settings.archive
    if settings.url is None:
        return {"archived": [], "waiting": []}
    archived, waiting, rows = list[str](), list[str](), 0
    async with reading(context.pool) as connection:
        old = [month for month in await months(connection) if _age(month, at) > settings.keep_months]
    for month in old:
        name = f"{month.start:%Y-%m}"
        async with reading(context.pool) as connection:
            unbilled = await parts.unbilled(connection, month, AFTERMATH)
        if unbilled:
            waiting.append(f"{name}: {len(unbilled)} not invoiced, such as {unbilled[0]}")
            continue
        part = await archive_month(context.pool, open_store(settings.url.get_secret_value()), month)
        archived.append(name)
        rows += part.rows if part else 0
    return {"archived": archived, "waiting": waiting, "rows": rows}


def _age(month: Period, at: datetime) -> int:
    """Months from that to the present one: 1 for the last."""
    now = month_of(at, "UTC").start
    return (now.year - month.start.year) * 12 + now.month - month.start.month
