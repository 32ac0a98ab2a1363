"""A worker as its own process, with jobs that the tests need: python worker_process.py [options] JOB..."""

import argparse
import asyncio
import os
from collections.abc import Mapping
from datetime import datetime, timedelta

from billing_worker.app import run
from billing_worker.job import Context, Job, Report, Retry
from billing_worker.times import Cron, Every
from billing_worker.worker import Pace
from config.settings import load_settings
from ledger.database import DatabaseUnavailable, reading
from runtime.exits import stop_on_signal

BUSY = timedelta(seconds=0.2)
RARELY = Cron("0 0 1 1 *")
QUICK = Retry(attempts=3, first=timedelta(milliseconds=50), longest=timedelta(milliseconds=100))


async def note(context: Context, at: datetime) -> int:
    async with reading(context.pool) as connection:
        number = await connection.fetchval(
            "insert into did (job, at, pid) values ('job', $1, $2) returning id", at, os.getpid()
        )
        return int(number)


async def done(context: Context, number: int) -> None:
    async with reading(context.pool) as connection:
        await connection.execute("update did set ended = clock_timestamp() where id = $1", number)


async def quick(context: Context, at: datetime) -> Report:
    """Notes that it ran."""
    number = await note(context, at)
    await asyncio.sleep(0.02)
    await done(context, number)
    return {"number": number}


async def gated(context: Context, at: datetime) -> Report:
    """Begins, and ends once the gate is open."""
    number = await note(context, at)
    opened = False
    while not opened:
        await asyncio.sleep(0.02)
        try:
            async with reading(context.pool) as connection:
                opened = await connection.fetchval("select exists (select from gate)")
        except DatabaseUnavailable:
            continue
    await done(context, number)
    return {"number": number}


async def broken(context: Context, at: datetime) -> None:
    """Fails until the gate is open."""
    await note(context, at)
    async with reading(context.pool) as connection:
        if await connection.fetchval("select exists (select from gate)"):
            return
    raise RuntimeError(f"cannot reach {context.settings.stores.database_url!r}\nand more")


async def deadly(context: Context, at: datetime) -> None:
    await note(context, at)
    os.kill(os.getpid(), 9)


JOBS: Mapping[str, Job] = {
    "quick": Job(Every(timedelta(milliseconds=100)), quick, retry=QUICK),
    "gated": Job(RARELY, gated, retry=QUICK),
    "broken": Job(RARELY, broken, retry=QUICK),
    "deadly": Job(RARELY, deadly, retry=QUICK),
}


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--heartbeat", type=float)
    parser.add_argument("--grace", type=float)
    parser.add_argument("jobs", nargs="+")
    options = parser.parse_args()
    pace = Pace(0.05, timedelta(seconds=options.heartbeat), timedelta(seconds=options.grace), BUSY)
    with stop_on_signal() as stop:
        await run(
            load_settings(os.environ), stop, jobs={name: JOBS[name] for name in options.jobs}, pace=pace
        )


if __name__ == "__main__":
    asyncio.run(main())
