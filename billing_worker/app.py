"""The worker: runs the jobs of a table at their times, each at most once at a time over all workers; or one job now."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

import asyncpg

from billing_worker.alone import alone
from billing_worker.failures import failure_of
from billing_worker.job import Context, Job
from billing_worker.runner import Cut, Runner, SessionLostError
from billing_worker.schedule import JOBS
from billing_worker.worker import Pace, Worker
from config.settings import Settings, SettingsError
from ledger.database import DatabaseUnavailable, Pool, close_pool, open_pool, reading

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
_CONNECTIONS = 20
"""Opened as they are needed: jobs run side by side, and some of them work on several things at once."""

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
    pace: Pace | None = None,
) -> None:
    """Until `stop` is set. Where Postgres goes away it waits for it and goes on; what it was at is run again."""
    pool = await _open(settings)
    runner = Runner(Context(pool, settings), jobs, clock)
    worker = Worker(runner, jobs, clock, pace or Pace())
    pause = _FIRST_PAUSE
    try:
        while not stop.is_set():
            began = asyncio.get_running_loop().time()
            try:
                await worker.serve(_url(settings), stop)
            except (
                DatabaseUnavailable,
                SessionLostError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                OSError,
            ) as error:
                log.warning("the worker is without Postgres: %s", ": ".join(failure_of(error, settings)))
            if asyncio.get_running_loop().time() - began > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stop.wait()
            pause = min(pause * 2, _LONGEST_PAUSE)
    finally:
        await close_pool(pool)


async def run_once(
    settings: Settings, job: str, at: datetime | None = None, *, jobs: Mapping[str, Job] = JOBS
) -> None:
    """Runs one job now, as if it were `at` (aware), and writes the run down. It is tried once.

    Raises UnknownJobError, JobRunningError, JobTimeoutError, DatabaseUnavailable, and what the job itself raises.
    """
    if job not in jobs:
        raise UnknownJobError(f"there is no job '{job}'; there is {', '.join(sorted(jobs))}")
    pool = await _open(settings)
    try:
        runner = Runner(Context(pool, settings), jobs, utc_now)
        async with reading(pool) as session, alone(session, job) as held:
            if not held:
                raise JobRunningError(f"the job '{job}' runs already")
            ended = await runner.run(job, at or utc_now(), ticket=None, cut=Cut())
        if ended.outcome == "timeout":
            raise JobTimeoutError(f"the job '{job}' took longer than {jobs[job].bound}")
        if ended.error is not None:
            raise ended.error
    finally:
        await close_pool(pool)


def _url(settings: Settings) -> str:
    if settings.stores.database_url is None:
        raise SettingsError("DATABASE_URL: the worker needs it")
    return settings.stores.database_url.get_secret_value()


async def _open(settings: Settings) -> Pool:
    return await open_pool(_url(settings), size=_CONNECTIONS, name="tollkeeper worker")
