"""What became of scheduled jobs: one row for each attempt."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from ledger.database import Connection
from ledger.records import Instant, Record

Outcome = Literal["ok", "failed", "timeout", "abandoned"]


class JobRun(Record):
    """An attempt at `job` for the time `at`; it runs while `outcome` is null. `abandoned`: its worker ended before it.

    `ticket` is the entry of the queue that it served, null for one by hand. `report` is what it says that it did,
    `error` the class of what went wrong and `message` its first line.
    """

    id: int
    job: str
    at: Instant
    attempt: int
    ticket: int | None
    worker: str
    started_at: Instant
    ended_at: Instant | None
    outcome: Outcome | None
    report: dict[str, Any] | None
    error: str | None
    message: str | None


async def served(connection: Connection, job: str, at: datetime) -> bool:
    """Whether the job was done for this time already, from the queue and not before its time."""
    return bool(
        await connection.fetchval(
            "select exists (select from job_run where job = $1 and at = $2 and outcome = 'ok'"
            " and ticket is not null and started_at >= at)",
            *(job, at),
        )
    )


async def used_up(connection: Connection, ticket: int) -> int:
    """Attempts for this entry that failed by themselves, or whose worker died without a word."""
    return int(
        await connection.fetchval(
            "select count(*) from job_run where ticket = $1"
            " and (outcome in ('failed', 'timeout') or (outcome = 'abandoned' and error is null))",
            ticket,
        )
    )


async def abandon_open(connection: Connection, job: str, now: datetime) -> list[int]:
    """Ends the runs that nobody will end. Whoever calls holds the job's lock, so that nobody is at work on them."""
    rows = await connection.fetch(
        "update job_run set ended_at = $2, outcome = 'abandoned', message = 'its worker is gone'"
        " where job = $1 and ended_at is null returning id",
        *(job, now),
    )
    return [row["id"] for row in rows]


async def begin(
    connection: Connection, job: str, at: datetime, *, ticket: int | None, worker: str, now: datetime
) -> int:
    """Opens a run; gives its id. Raises asyncpg.UniqueViolationError where the job has an open one."""
    return int(
        await connection.fetchval(
            "insert into job_run (job, at, attempt, ticket, worker, started_at) values ($1, $2,"
            " 1 + (select count(*) from job_run where ticket = $3), $3, $4, $5) returning id",
            *(job, at, ticket, worker, now),
        )
    )


async def end(
    connection: Connection,
    run: int,
    outcome: Outcome,
    now: datetime,
    *,
    report: Mapping[str, Any] | None = None,
    error: str | None = None,
    message: str | None = None,
) -> bool:
    """Says what became of it; False where that was said already, by whoever took it for abandoned."""
    row = await connection.fetchval(
        "update job_run set ended_at = greatest($3, started_at), outcome = $2, report = $4, error = $5,"
        " message = $6 where id = $1 and ended_at is null returning id",
        *(run, outcome, now, None if report is None else dict(report), error, message),
    )
    return row is not None


async def listing(connection: Connection, job: str, *, before: int | None, limit: int) -> list[JobRun]:
    """The newest first, those with an id below `before`."""
    rows = await connection.fetch(
        "select * from job_run where job = $1 and ($2::bigint is null or id < $2) order by id desc limit $3",
        *(job, before, limit),
    )
    return [JobRun.of(row) for row in rows]


async def latest(connection: Connection) -> dict[str, JobRun]:
    """The last run of each job of the table of jobs."""
    rows = await connection.fetch(
        "select run.* from job cross join lateral"
        " (select * from job_run where job_run.job = job.name order by id desc limit 1) run"
    )
    return {row["job"]: JobRun.of(row) for row in rows}


async def forget(connection: Connection, before: datetime, *, most: int) -> int:
    """Deletes ended runs from before this time, and all but the newest `most` of each job; gives how many."""
    count = await connection.fetchval(
        "with names as (select distinct job as name from job_run), bounds as (select name, (select id from job_run"
        " where job = name order by id desc offset $2 limit 1) as last from names), gone as (delete from job_run"
        " using bounds where job = name and ended_at is not null and (started_at < $1 or id <= last) returning 1)"
        " select count(*) from gone",
        *(before, most),
        timeout=60,
    )
    return int(count)
