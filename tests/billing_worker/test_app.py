import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing_worker.app import JobRunningError, JobTimeoutError, UnknownJobError, run_once
from billing_worker.job import Context, Job, Report
from billing_worker.times import Every
from config.settings import Settings
from ledger import job_runs
from ledger.database import Pool, reading
from ledger.job_runs import JobRun

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOURLY = Every(timedelta(hours=1))


class Gate:
    """A job that notes its times and waits where it is told to."""

    def __init__(self) -> None:
        self.times: list[datetime] = []
        self.began = asyncio.Event()
        self.may_end = asyncio.Event()

    async def __call__(self, _: Context, at: datetime) -> Report:
        self.times.append(at)
        self.began.set()
        await self.may_end.wait()
        return {"times": len(self.times)}


async def runs(pool: Pool, job: str) -> list[JobRun]:
    async with reading(pool) as connection:
        return await job_runs.listing(connection, job, before=None, limit=100)


async def test_an_unknown_job_is_refused_with_those_there_are(settings: Settings) -> None:
    jobs = {"one": Job(HOURLY, Gate()), "other": Job(HOURLY, Gate())}
    with pytest.raises(UnknownJobError, match="there is no job 'invoice'; there is one, other"):
        await run_once(settings, "invoice", AT, jobs=jobs)


async def test_a_run_by_hand_acts_for_the_time_given_and_is_written_down(
    settings: Settings, pool: Pool
) -> None:
    work = Gate()
    work.may_end.set()
    await run_once(settings, "work", AT, jobs={"work": Job(HOURLY, work)})
    (run,) = await runs(pool, "work")
    assert work.times == [AT]
    assert (run.at, run.outcome, run.report, run.attempt, run.ticket) == (AT, "ok", {"times": 1}, 1, None)
    assert run.ended_at is not None
    assert abs(run.started_at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_a_job_never_runs_twice_at_once(settings: Settings) -> None:
    work = Gate()
    jobs = {"work": Job(HOURLY, work)}
    async with asyncio.TaskGroup() as group:
        group.create_task(run_once(settings, "work", AT, jobs=jobs))
        await work.began.wait()
        with pytest.raises(JobRunningError):
            await run_once(settings, "work", AT, jobs=jobs)
        work.may_end.set()
    await run_once(settings, "work", AT, jobs=jobs)
    assert work.times == [AT, AT]


async def test_a_job_that_takes_too_long_is_ended(settings: Settings, pool: Pool) -> None:
    jobs = {"work": Job(HOURLY, Gate(), bound=timedelta(milliseconds=50))}
    for _ in range(2):
        with pytest.raises(JobTimeoutError):
            await run_once(settings, "work", AT, jobs=jobs)
    assert [run.outcome for run in await runs(pool, "work")] == ["timeout", "timeout"]


async def test_a_report_that_is_too_long_or_odd_fails_no_run(settings: Settings, pool: Pool) -> None:
    async def long(_: Context, __: datetime) -> Report:
        return {"names": ["x" * 100] * 100}

    async def odd(_: Context, __: datetime) -> Report:
        return {"price": Decimal("1.50")}  # type: ignore[dict-item]

    for name, work in (("long", long), ("odd", odd)):
        await run_once(settings, name, AT, jobs={name: Job(HOURLY, work)})
    assert [run.report for run in await runs(pool, "long")] == [{"left_out_bytes": 10311}]
    assert [run.report for run in await runs(pool, "odd")] == [{"price": "1.50"}]


async def test_what_a_run_by_hand_raises_comes_out_and_is_written_down_without_secrets(
    settings: Settings, pool: Pool
) -> None:
    url = settings.stores.database_url
    assert url is not None

    async def work(_: Context, __: datetime) -> None:
        raise RuntimeError(f"no way to {url.get_secret_value()} today\nDETAIL: a row")

    with pytest.raises(RuntimeError, match="no way"):
        await run_once(settings, "work", AT, jobs={"work": Job(HOURLY, work)})
    (run,) = await runs(pool, "work")
    assert (run.outcome, run.error, run.message) == ("failed", "RuntimeError", "no way to *** today")
