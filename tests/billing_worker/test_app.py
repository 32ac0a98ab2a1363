import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from billing_worker.app import JobRunningError, JobTimeoutError, UnknownJobError, run, run_once
from billing_worker.schedule import Job
from config.settings import Settings, load_settings
from ledger.database import Pool, close_pool, open_pool, reading

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return load_settings({"DATABASE_URL": database_url})


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database_url)
    yield pool
    await close_pool(pool)


@pytest.fixture
async def database_url(empty_database_url: str) -> str:
    from ledger.migrations import migrate

    await migrate(empty_database_url)
    return empty_database_url


class Work:
    """A job that notes its times, waits where it is told to, and fails the first `failures` times."""

    def __init__(self, failures: int = 0) -> None:
        self.times: list[datetime] = []
        self.began = asyncio.Event()
        self.may_end = asyncio.Event()
        self.ran_twice = asyncio.Event()
        self.failures = failures

    async def __call__(self, _: Pool, at: datetime) -> None:
        self.times.append(at)
        self.began.set()
        if len(self.times) == 2:
            self.ran_twice.set()
        if len(self.times) <= self.failures:
            raise RuntimeError("broken")
        await self.may_end.wait()


async def months(pool: Pool) -> list[str]:
    async with reading(pool) as connection:
        rows = await connection.fetch("select inhrelid::regclass::text as name from pg_inherits order by 1")
        return [
            row["name"] for row in rows if row["name"].startswith("usage_20") and "idx" not in row["name"]
        ]


async def test_months_of_usage_are_made_ahead(settings: Settings, pool: Pool) -> None:
    await run_once(settings, "partitions", AT)
    await run_once(settings, "partitions", AT)
    made = [name for name in await months(pool) if "pkey" not in name]
    assert made == ["usage_2026_11", "usage_2026_12", "usage_2027_01", "usage_2027_02"]


async def test_an_unknown_job_is_refused_with_those_there_are(settings: Settings) -> None:
    with pytest.raises(UnknownJobError, match="there is no job 'invoice'; there is partitions"):
        await run_once(settings, "invoice", AT)


async def test_a_job_never_runs_twice_at_once(settings: Settings) -> None:
    work = Work()
    jobs = {"work": Job(timedelta(hours=1), work)}
    async with asyncio.TaskGroup() as group:
        group.create_task(run_once(settings, "work", AT, jobs=jobs))
        await work.began.wait()
        with pytest.raises(JobRunningError):
            await run_once(settings, "work", AT, jobs=jobs)
        work.may_end.set()
    await run_once(settings, "work", AT, jobs=jobs)
    assert work.times == [AT, AT]


async def test_a_failed_job_is_tried_again_and_the_worker_goes_on(settings: Settings) -> None:
    work, stop = Work(failures=1), asyncio.Event()
    work.may_end.set()
    running = asyncio.create_task(run(settings, stop, jobs={"work": Job(timedelta(milliseconds=10), work)}))
    async with asyncio.timeout(10):
        await work.ran_twice.wait()
        stop.set()
        await running


async def test_stopping_does_not_wait_for_a_job(settings: Settings) -> None:
    work, stop = Work(), asyncio.Event()
    running = asyncio.create_task(run(settings, stop, jobs={"work": Job(timedelta(hours=1), work)}))
    async with asyncio.timeout(10):
        await work.began.wait()
        stop.set()
        await running
    work.may_end.set()
    await run_once(settings, "work", AT, jobs={"work": Job(timedelta(hours=1), work)})


async def test_a_job_that_takes_too_long_is_ended(settings: Settings) -> None:
    jobs = {"work": Job(timedelta(hours=1), Work(), bound=timedelta(milliseconds=50))}
    with pytest.raises(JobTimeoutError):
        await run_once(settings, "work", AT, jobs=jobs)
    with pytest.raises(JobTimeoutError):
        await run_once(settings, "work", AT, jobs=jobs)
