"""What the clock starts: the table of jobs, what became of their runs, and a run at once."""

from pydantic import BaseModel, Field

from console.call import Call, Nothing, Operation
from console.inputs import Moment
from console.paging import Page, PageQuery, before_of, cut
from ledger import audit, job_runs, jobs
from ledger.database import reading, transaction
from ledger.job_runs import JobRun
from ledger.jobs import JobEntry
from ledger.records import Instant


class Job(JobEntry):
    """`schedule` is a cron line in UTC, or `every N s`; `planned_at` the last of its times that was taken up."""

    last_run: JobRun | None


class Asked(BaseModel):
    """A run that will begin as soon as a worker can."""

    job: str
    at: Instant


class Asking(Nothing):
    """A body may be left out."""

    at: Moment | None = Field(None, description="as if it were this time; now, if it is not given")


async def listing(call: Call[Nothing, Nothing]) -> Page[Job]:
    async with reading(call.services.pool) as connection:
        entries = await jobs.listing(connection)
        latest = await job_runs.latest(connection)
    return Page[Job](data=[Job(**dict(entry), last_run=latest.get(entry.name)) for entry in entries])


async def runs(call: Call[Nothing, PageQuery]) -> Page[JobRun]:
    query = call.query
    async with reading(call.services.pool) as connection:
        entry = await jobs.get(connection, call.ids["name"])
        rows = await job_runs.listing(connection, entry.name, before=before_of(query), limit=query.limit + 1)
    data, cursor = cut(rows, query.limit, lambda run: (str(run.id),))
    return Page[JobRun](data=data, next_cursor=cursor)


async def run(call: Call[Asking, Nothing]) -> Asked:
    name, at = call.ids["name"], call.body.at or call.now
    async with transaction(call.services.pool) as connection:
        await jobs.ask(connection, name, at, call.actor)
        await audit.write(connection, call.actor, "job.run", name, {"at": at.isoformat()})
    return Asked(job=name, at=at)


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/admin/jobs",
        summary="List scheduled jobs with their last run and their next time",
        handler=listing,
        body=Nothing,
        query=Nothing,
        answer=Page[Job],
    ),
    Operation(
        method="GET",
        path="/api/admin/jobs/{name}/runs",
        summary="List what became of a job's runs, the newest first",
        handler=runs,
        body=Nothing,
        query=PageQuery,
        answer=Page[JobRun],
    ),
    Operation(
        method="POST",
        path="/api/admin/jobs/{name}/run",
        summary="Run a job now, as soon as a worker can",
        handler=run,
        body=Asking,
        query=Nothing,
        answer=Asked,
        status=202,
    ),
)
