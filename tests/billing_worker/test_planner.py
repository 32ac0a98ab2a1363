"""Times with a moved clock, on a real queue's session."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from billing_worker.app import run
from billing_worker.job import Context, Job
from billing_worker.times import Cron, Every
from billing_worker.worker import Pace
from config.settings import Settings
from ledger import jobs
from ledger.database import Pool, reading, transaction
from tests.system import until

PACE = Pace(look=0.02, heartbeat=timedelta(seconds=2), grace=timedelta(seconds=2))


class Clock:
    """Stands still until it is set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Times:
    """A job that notes the times it acts for."""

    def __init__(self) -> None:
        self.seen: list[datetime] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def __call__(self, _: Context, at: datetime) -> None:
        self.seen.append(at)
        await self.may_go_on.wait()

    async def has(self, count: int) -> None:
        async def enough() -> bool | None:
            return True if len(self.seen) >= count else None

        await until(enough, f"{count} runs")


@asynccontextmanager
async def running(settings: Settings, table: dict[str, Job], clock: Clock) -> AsyncIterator[None]:
    stop = asyncio.Event()
    worker = asyncio.create_task(run(settings, stop, jobs=table, clock=clock, pace=PACE))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(worker, 20)


async def planned(pool: Pool, at: datetime) -> None:
    """Waits until each job was planned for this time or a later one."""

    async def far() -> bool | None:
        async with reading(pool) as connection:
            found = await connection.fetchval(
                "select min(coalesce(planned_at, '-infinity')) >= $1 from job", at
            )
        return True if found else None

    await until(far, f"the plan up to {at}")


async def test_jobs_of_fixed_times_run_at_their_times_in_utc(settings: Settings) -> None:
    limits, storage = Times(), Times()
    table = {"limits": Job(Cron("0 6 * * *"), limits), "storage": Job(Cron("0 4 * * *"), storage)}
    clock = Clock(datetime(2026, 3, 29, 3, 59, 59, tzinfo=UTC))
    async with running(settings, table, clock):
        await limits.has(1)
        await storage.has(1)
        clock.now = datetime(2026, 3, 29, 4, tzinfo=UTC)
        await storage.has(2)
        assert len(limits.seen) == 1
        clock.now = datetime(2026, 3, 29, 6, 0, 1, tzinfo=UTC)
        await limits.has(2)
        clock.now = datetime(2026, 3, 30, 4, tzinfo=UTC)
        await storage.has(3)
    assert storage.seen == [datetime(2026, 3, day, 4, tzinfo=UTC) for day in (28, 29, 30)]
    assert limits.seen == [datetime(2026, 3, day, 6, tzinfo=UTC) for day in (28, 29)]


async def test_a_worker_that_was_away_runs_each_job_once_for_the_latest_time(settings: Settings) -> None:
    work = Times()
    table = {"work": Job(Cron("0 6 * * *"), work)}
    async with running(settings, table, Clock(datetime(2026, 11, 1, 6, 30, tzinfo=UTC))):
        await work.has(1)
    async with running(settings, table, Clock(datetime(2026, 11, 5, 7, tzinfo=UTC))):
        await work.has(2)
    async with running(settings, table, Clock(datetime(2026, 11, 5, 8, tzinfo=UTC))):
        pass
    assert work.seen == [datetime(2026, 11, day, 6, tzinfo=UTC) for day in (1, 5)]


async def test_a_job_that_takes_longer_than_its_interval_goes_on_with_the_latest_time(
    settings: Settings,
) -> None:
    work = Times()
    work.may_go_on.clear()
    clock = Clock(datetime(2026, 11, 1, 6, tzinfo=UTC))
    async with running(settings, {"work": Job(Every(timedelta(minutes=1)), work)}, clock):
        await work.has(1)
        for minute in range(1, 6):
            clock.now = datetime(2026, 11, 1, 6, minute, tzinfo=UTC)
            await asyncio.sleep(0.1)
        work.may_go_on.set()
        await work.has(2)
    assert work.seen == [datetime(2026, 11, 1, 6, minute, tzinfo=UTC) for minute in (0, 5)]


async def test_a_time_that_was_served_is_not_served_again_when_the_plan_forgets_it(
    settings: Settings, pool: Pool
) -> None:
    work, later = Times(), datetime(2026, 11, 1, 7, tzinfo=UTC)
    table = {"work": Job(Cron("0 6 * * *"), work)}
    async with running(settings, table, Clock(later)):
        await work.has(1)
    async with reading(pool) as connection:
        await connection.execute("update job set planned_at = null")
    async with running(settings, table, Clock(later)):
        await planned(pool, later - timedelta(hours=1))

        async def none_left() -> bool | None:
            async with reading(pool) as connection:
                return None if await connection.fetchval("select exists (select from pgqueuer)") else True

        await until(none_left, "an empty queue")
    assert len(work.seen) == 1


async def test_what_is_asked_for_of_a_job_that_a_worker_does_not_know_is_left_to_those_that_do(
    settings: Settings, pool: Pool
) -> None:
    known, unknown = Times(), Times()
    clock = Clock(datetime(2026, 11, 1, 6, 2, tzinfo=UTC))
    line = Cron("0 0 1 1 *")
    async with running(settings, {"known": Job(line, known), "unknown": Job(line, unknown)}, clock):
        await unknown.has(1)
    async with transaction(pool) as connection:
        for name in ("unknown", "known"):
            await jobs.ask(connection, name, clock.now, "somebody")
    async with running(settings, {"known": Job(line, known)}, clock):
        await known.has(2)
    assert len(unknown.seen) == 1
    async with running(settings, {"unknown": Job(line, unknown)}, clock):
        await unknown.has(2)
    assert unknown.seen[1] == clock.now


@pytest.mark.parametrize("line", ["0 6 * * *", "*/5 * * * *"])
async def test_the_table_tells_when_a_job_comes_next(settings: Settings, pool: Pool, line: str) -> None:
    clock = Clock(datetime(2026, 11, 1, 6, 2, tzinfo=UTC))
    work = Times()
    async with running(settings, {"work": Job(Cron(line), work)}, clock):
        await work.has(1)
        clock.now = datetime(2026, 11, 2, 6, 2, tzinfo=UTC)
        await work.has(2)
        await planned(pool, datetime(2026, 11, 2, 6, tzinfo=UTC))
    async with reading(pool) as connection:
        found = await connection.fetchval("select next_at from job")
    assert found == Cron(line).next(clock.now)
