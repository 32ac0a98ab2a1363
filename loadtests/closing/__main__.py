"""`python -m loadtests.closing [--records N] [--customers N]`: a month is stored, then billed by the job `closing`."""

import argparse
import asyncio
import os
import sys
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any

from ledger.database import close_pool, open_pool, reading
from ledger.migrations import migrate
from loadtests.closing.month import CLOSING, fill
from loadtests.stand import results
from loadtests.stand.errors import StandError
from loadtests.stand.say import say
from loadtests.stand.stores import Stores, stores


@dataclass(frozen=True)
class Found:
    """Seconds; `megabytes` is the most that any process of the worker held."""

    records: int
    customers: int
    storing: float
    closing: float
    megabytes: int
    invoices: int


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtests.closing", description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--customers", type=int, default=100)
    options = parser.parse_args()
    with stores(durable=True) as running:
        began = monotonic()
        asyncio.run(_store(running.database_url, options.records, options.customers))
        storing = monotonic() - began
        say(f"{options.records} records of {options.customers} customers are stored after {storing:.0f} s")
        began = monotonic()
        megabytes = _close(running)
        closing = monotonic() - began
        invoices, billed = asyncio.run(_told(running.database_url))
    if billed != options.records:
        raise StandError(f"{billed} records were billed instead of {options.records}")
    found = Found(options.records, options.customers, storing, closing, megabytes, invoices)
    say(f"{invoices} invoices after {closing:.1f} s, at most {megabytes} MB a process")
    results.write(results.FOLDER, "closing", asdict(found))
    return 0


async def _store(database_url: str, records: int, customers: int) -> None:
    await migrate(database_url)
    pool = await open_pool(database_url)
    try:
        await fill(pool, records, customers)
    finally:
        await close_pool(pool)


def _close(running: Stores) -> int:
    """Megabytes. The worker as an administrator starts it."""
    argv = [sys.executable, "-m", "tollkeeper", "worker", "--once", "closing", "--at", CLOSING.isoformat()]
    environ = {
        **os.environ,
        "DATABASE_URL": running.database_url,
        "REDIS_URL": running.redis_url,
        "TOLLKEEPER_DATA_DIR": str(running.folder),
        "TOLLKEEPER_KEY_SECRET": "a secret of the measurement",
        "TOLLKEEPER_ADMIN_TOKEN": "a token of the measurement",
    }
    child = os.posix_spawn(sys.executable, argv, environ)
    _, status, used = os.wait4(child, 0)
    if status:
        raise StandError(f"the worker ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_maxrss // 1024


async def _told(database_url: str) -> tuple[int, int]:
    """Invoices issued, and records billed."""
    pool = await open_pool(database_url)
    try:
        async with reading(pool) as connection:
            row: Any = await connection.fetchrow(
                "select (select count(*) from invoice where number is not null) as invoices,"
                " (select coalesce(sum(requests), 0)::bigint from invoice_usage) as billed"
            )
    finally:
        await close_pool(pool)
    return row["invoices"], row["billed"]


if __name__ == "__main__":
    sys.exit(main())
