"""The worker: runs every job of the schedule, each at most once at a time over all workers."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from zlib import crc32

from billing_worker.schedule import JOBS, Job
from config.settings import Settings, SettingsError
from ledger.database import Pool, close_pool, open_pool, reading

_LOCK_CLASS = 0x6A6F62  # "job"
_RETRY_SECONDS = 60.0

log = logging.getLogger(__name__)


class UnknownJobError(ValueError):
    """There is no such job; the message names those there are."""


class JobRunningError(RuntimeError):
    """The job runs already, here or in another worker."""


class JobTimeoutError(RuntimeError):
    """The job took longer than it may."""


def utc_now() -> datetime:
    return datetime.now(UTC)


async def run(
    settings: Settings,
    stop: asyncio.Event,
    *,
    jobs: Mapping[str, Job] = JOBS,
    clock: Callable[[], datetime] = utc_now,
) -> None:
    """Runs all jobs now and then at their intervals until `stop` is set. A failure is logged and tried again."""
    pool = await _open(settings)
    tasks = [
        asyncio.create_task(_repeat(pool, name, job, clock), name=f"job {name}") for name, job in jobs.items()
    ]
    try:
        await stop.wait()
    finally:
        # A job in the middle of its work is cut off: its transaction is undone and its next run repeats it.
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await close_pool(pool)


async def run_once(
    settings: Settings, job: str, at: datetime | None = None, *, jobs: Mapping[str, Job] = JOBS
) -> None:
    """Runs one job now, as if it were `at` (aware).

    Raises UnknownJobError, JobRunningError, JobTimeoutError, DatabaseUnavailable, and what the job itself raises.
    """
    if job not in jobs:
        raise UnknownJobError(f"there is no job '{job}'; there is {', '.join(sorted(jobs))}")
    pool = await _open(settings)
    try:
        if not await _run_alone(pool, job, jobs[job], at or utc_now()):
            raise JobRunningError(f"the job '{job}' runs already")
    finally:
        await close_pool(pool)


async def _open(settings: Settings) -> Pool:
    if settings.stores.database_url is None:
        raise SettingsError("DATABASE_URL: the worker needs it")
    return await open_pool(settings.stores.database_url.get_secret_value(), name="tollkeeper worker")


async def _repeat(pool: Pool, name: str, job: Job, clock: Callable[[], datetime]) -> None:
    while True:
        pause = job.every.total_seconds()
        try:
            await _run_alone(pool, name, job, clock())
        except Exception:
            log.exception("the job %s failed", name)
            pause = min(pause, _RETRY_SECONDS)
        await asyncio.sleep(pause)


async def _run_alone(pool: Pool, name: str, job: Job, at: datetime) -> bool:
    """Whether it ran; not if it runs elsewhere. The lock ends with its connection's use, however that ends."""
    async with reading(pool) as connection:
        if not await connection.fetchval("select pg_try_advisory_lock($1, $2)", _LOCK_CLASS, _number(name)):
            return False
        try:
            async with asyncio.timeout(job.bound.total_seconds()):
                await job.work(pool, at)
        except TimeoutError:
            raise JobTimeoutError(f"the job '{name}' took longer than {job.bound}") from None
        finally:
            await connection.execute("select pg_advisory_unlock($1, $2)", _LOCK_CLASS, _number(name))
    return True


def _number(name: str) -> int:
    """A job's name as a signed 32-bit number."""
    return crc32(name.encode()) - 2**31
