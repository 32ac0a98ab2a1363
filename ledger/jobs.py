"""The table of jobs as people see it, and the runs that they ask for."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from ledger.database import Connection
from ledger.errors import NotFoundError
from ledger.records import Instant, Record

_FORGOTTEN = timedelta(days=7)


class JobEntry(Record):
    """`schedule` is a cron line in UTC, or `every N s`. `planned_at` is the last of its times that was taken up."""

    name: str
    schedule: str
    bound_seconds: float
    attempts: int
    next_at: Instant
    planned_at: Instant | None


async def register(connection: Connection, entries: Iterable[JobEntry], now: datetime) -> None:
    """Brings the table up to what a worker has. How far a job was planned stays; `planned_at` of `entries` is not used.

    A job that no worker has had for a week is taken out, so that old and new workers may run side by side.
    """
    known = list(entries)
    await connection.executemany(
        "insert into job (name, schedule, bound_seconds, attempts, next_at) values ($1, $2, $3, $4, $5)"
        " on conflict (name) do update set schedule = excluded.schedule, attempts = excluded.attempts,"
        " bound_seconds = excluded.bound_seconds, next_at = excluded.next_at",
        [(job.name, job.schedule, job.bound_seconds, job.attempts, job.next_at) for job in known],
    )
    await connection.execute("delete from job where next_at < $1", now - _FORGOTTEN)


async def listing(connection: Connection) -> list[JobEntry]:
    """By name."""
    return [JobEntry.of(row) for row in await connection.fetch("select * from job order by name")]


async def get(connection: Connection, name: str) -> JobEntry:
    """Raises NotFoundError."""
    row = await connection.fetchrow("select * from job where name = $1", name)
    if row is None:
        raise NotFoundError("job", name)
    return JobEntry.of(row)


async def ask(connection: Connection, name: str, at: datetime, actor: str) -> None:
    """Has the worker run it for the time `at`, as soon as it can. Raises NotFoundError."""
    await get(connection, name)
    await connection.execute(
        "insert into job_request (job, at, actor) values ($1, $2, $3)", *(name, at, actor)
    )
