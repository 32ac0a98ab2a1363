"""An archiving that is killed after any statement loses nothing, and the next run ends it."""

from pathlib import Path

from billing_worker.archive.archiving import archive_month
from ledger.archive.store import open_store
from ledger.archive.usage import ArchivedUsage
from ledger.database import DatabaseUnavailable, Pool, reading
from ledger.pages import Slice
from ledger.periods import month_of
from ledger.usage_filter import Filter
from ledger.usage_partitions import ensure_month
from ledger.usage_rows import UsageRow, rows
from tests.billing_worker.archive.test_archiving import OLD, attached, fill
from tests.billing_worker.invoicing.cutting import Fuse, Killed, cutting_pool

MONTH = month_of(OLD, "UTC")


async def all_rows(pool: Pool, folder: Path) -> list[UsageRow]:
    async with reading(pool) as connection:
        return await rows(connection, Filter(), Slice(), ArchivedUsage(str(folder)))


async def killed_after(database_url: str, folder: Path, statements: int) -> bool:
    pool = await cutting_pool(database_url, Fuse(statements))
    try:
        await archive_month(pool, open_store(str(folder)), MONTH)
    except (Killed, DatabaseUnavailable):
        return True
    finally:
        pool.terminate()
    return False


async def test_killed_after_any_statement_every_row_is_there_once_and_the_next_run_ends_it(
    database_url: str, pool: Pool, tmp_path: Path
) -> None:
    await fill(pool)
    before = await all_rows(pool, tmp_path)
    statements, kills = 0, 0
    while True:
        statements += 1
        if "2025-09" not in await attached(pool):
            # It was killed when all was done; a record that comes late begins the month anew.
            async with reading(pool) as connection:
                await ensure_month(connection, OLD)
            await fill(pool, start=OLD, seed=statements + 10)
            before = await all_rows(pool, tmp_path)
        if not await killed_after(database_url, tmp_path, statements):
            break
        kills += 1
        assert await all_rows(pool, tmp_path) == before
    assert kills > 10
    assert "2025-09" not in await attached(pool)
    assert await all_rows(pool, tmp_path) == before
