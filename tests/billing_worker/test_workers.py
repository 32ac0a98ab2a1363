"""Workers as processes: beside each other, killed, stopped, without Postgres."""

import asyncio
import time
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from billing_worker.app import JobRunningError, run_once
from billing_worker.job import Context, Job
from billing_worker.times import Cron
from config.settings import Settings
from ledger import alerts, jobs
from ledger.alerts import Alert
from ledger.database import Pool, reading, transaction
from tests.billing_worker.workers import Workers, make_tables, open_gate, stop
from tests.system import until

Rows = list[dict[str, Any]]


@pytest.fixture(autouse=True)
async def tables(database_url: str) -> None:
    await make_tables(database_url)


async def fetch(pool: Pool, query: str) -> Rows:
    async with reading(pool) as connection:
        return [dict(row) for row in await connection.fetch(query)]


async def wait_for(pool: Pool, query: str, count: int) -> Rows:
    async def enough() -> Rows | None:
        rows = await fetch(pool, query)
        return rows if len(rows) >= count else None

    return await until(enough, f"{count} rows of: {query}")


async def nothing_queued(pool: Pool) -> None:
    async def empty() -> bool | None:
        return None if await fetch(pool, "select from pgqueuer") else True

    await until(empty, "an empty queue")


async def open_alerts(pool: Pool) -> list[Alert]:
    async with reading(pool) as connection:
        return await alerts.listing(connection, ended=False)


async def test_two_workers_share_the_times_and_each_time_is_served_once(pool: Pool, workers: Workers) -> None:
    for _ in range(2):
        workers.start("quick")
    await wait_for(pool, "select from did where ended is not null", 15)
    workers.kill()
    rows = await fetch(pool, "select * from did order by began")
    assert len({row["pid"] for row in rows}) == 2
    assert len({row["at"] for row in rows}) == len(rows)
    for one, following in pairwise(rows):
        assert one["ended"] is not None
        assert one["ended"] <= following["began"]
    reported = await fetch(pool, "select * from job_run where outcome = 'ok'")
    assert {(row["at"], row["report"]["number"]) for row in reported} <= {
        (row["at"], row["id"]) for row in rows
    }


async def test_a_job_runs_once_at_a_time_whoever_is_killed(pool: Pool, workers: Workers) -> None:
    running = [workers.start("quick", heartbeat=0.5) for _ in range(3)]
    for victim in running[:2]:
        done = len(await fetch(pool, "select from did"))
        await wait_for(pool, "select from did", done + 5)
        victim.kill()
        running.append(workers.start("quick", heartbeat=0.5))
    done = len(await fetch(pool, "select from did"))
    await wait_for(pool, "select from did", done + 6)
    workers.kill()
    rows = await fetch(pool, "select * from did order by began")
    for one, following in pairwise(rows):
        assert one["ended"] is None or one["ended"] <= following["began"]
        # What was cut short by a kill was its worker's last.
        assert one["ended"] is not None or one["pid"] not in [
            row["pid"] for row in rows[rows.index(following) :]
        ]


async def test_a_run_by_hand_and_a_worker_wait_for_each_other(
    settings: Settings, pool: Pool, workers: Workers
) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def by_hand(_: Context, __: datetime) -> None:
        began.set()
        await may_end.wait()

    job = {"gated": Job(Cron("0 0 1 1 *"), by_hand)}
    async with asyncio.TaskGroup() as group:
        group.create_task(run_once(settings, "gated", datetime(2026, 11, 1, tzinfo=UTC), jobs=job))
        await began.wait()
        workers.start("gated")
        await wait_for(pool, "select from pgqueuer where attempts > 1", 1)
        assert await fetch(pool, "select from did") == []
        may_end.set()
    await wait_for(pool, "select from did", 1)
    with pytest.raises(JobRunningError):
        await run_once(settings, "gated", jobs=job)


async def test_what_a_killed_worker_was_at_is_abandoned_and_taken_up_by_another(
    pool: Pool, workers: Workers
) -> None:
    first = workers.start("gated")
    await wait_for(pool, "select from did", 1)
    second = workers.start("gated")
    first.kill()
    (one, other) = await wait_for(pool, "select * from did order by id", 2)
    assert (one["at"], one["pid"], other["pid"]) == (other["at"], first.pid, second.pid)
    await open_gate(pool)
    rows = await wait_for(pool, "select * from job_run where outcome is not null order by id", 2)
    assert [(row["outcome"], row["attempt"]) for row in rows] == [("abandoned", 1), ("ok", 2)]
    assert await open_alerts(pool) == []


async def test_a_job_that_kills_its_workers_is_given_up_and_alarmed(pool: Pool, workers: Workers) -> None:
    for _ in range(3):
        assert workers.start("deadly", heartbeat=0.5).wait(20) == -9
    workers.start("deadly", heartbeat=0.5)

    async def alarmed() -> list[Alert] | None:
        return await open_alerts(pool) or None

    (alert,) = await until(alarmed, "an alert")
    assert (alert.kind, alert.object, alert.detail["attempts"]) == ("job_failed", "deadly", 3)
    assert len(await fetch(pool, "select from did")) == 3


async def test_a_failing_job_is_tried_as_often_as_it_may_then_alarmed_until_it_succeeds(
    pool: Pool, workers: Workers
) -> None:
    workers.start("broken")

    async def alarmed() -> list[Alert] | None:
        return await open_alerts(pool) or None

    (alert,) = await until(alarmed, "an alert")
    rows = await fetch(pool, "select * from job_run order by id")
    assert [(row["outcome"], row["error"], row["attempt"]) for row in rows] == [
        ("failed", "RuntimeError", 1),
        ("failed", "RuntimeError", 2),
        ("failed", "RuntimeError", 3),
    ]
    assert "cannot reach" in alert.message
    assert "and more" not in alert.message
    await nothing_queued(pool)
    await open_gate(pool)
    async with transaction(pool) as connection:
        await jobs.ask(connection, "broken", datetime.now(UTC), "somebody")
    await wait_for(pool, "select from job_run where outcome = 'ok'", 1)
    assert await open_alerts(pool) == []


async def test_a_stopped_worker_lets_its_job_end(pool: Pool, workers: Workers) -> None:
    worker = workers.start("gated", grace=10)
    await wait_for(pool, "select from did", 1)
    stopping = asyncio.create_task(asyncio.to_thread(stop, worker))
    await open_gate(pool)
    assert await stopping == 0
    assert [row["outcome"] for row in await fetch(pool, "select outcome from job_run")] == ["ok"]
    await nothing_queued(pool)


async def test_a_stopped_worker_cuts_its_job_off_in_time_and_the_next_one_takes_it_up(
    pool: Pool, workers: Workers
) -> None:
    worker = workers.start("gated", grace=0.2)
    await wait_for(pool, "select from did", 1)
    began = time.monotonic()
    assert await asyncio.to_thread(stop, worker) == 0
    assert time.monotonic() - began < 5
    (run,) = await fetch(pool, "select * from job_run")
    assert (run["outcome"], run["error"]) == ("abandoned", "WorkerStoppedError")
    await open_gate(pool)
    workers.start("gated", heartbeat=30)
    rows = await wait_for(pool, "select * from job_run where outcome is not null order by id", 2)
    assert [row["outcome"] for row in rows] == ["abandoned", "ok"]
    assert rows[0]["at"] == rows[1]["at"]


async def test_a_worker_that_lost_its_sessions_goes_on_by_itself(pool: Pool, workers: Workers) -> None:
    worker = workers.start("gated")
    await wait_for(pool, "select from did", 1)
    async with reading(pool) as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
            " and application_name like 'tollkeeper worker%'"
        )
    await open_gate(pool)
    rows = await wait_for(pool, "select * from job_run where outcome is not null order by id", 2)
    assert [(row["outcome"], row["error"]) for row in rows] == [
        ("abandoned", "SessionLostError"),
        ("ok", None),
    ]
    assert worker.poll() is None


async def test_what_is_asked_for_runs_soon_and_for_its_time(pool: Pool, workers: Workers) -> None:
    await open_gate(pool)
    workers.start("gated")
    await wait_for(pool, "select from job_run where outcome = 'ok'", 1)
    async with transaction(pool) as connection:
        now = await connection.fetchval("select now()")
        await jobs.ask(connection, "gated", now, "somebody")
    rows = await wait_for(pool, "select * from job_run where outcome = 'ok' order by id", 2)
    assert rows[1]["at"] == now
    assert await fetch(pool, "select from job_request") == []
