from datetime import UTC, datetime, timedelta

import pytest

from ledger import job_runs, jobs
from ledger.database import Pool, reading
from ledger.jobs import JobEntry
from tests.console.running import Console, refused

PATH = "/api/admin/jobs"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def table(pool: Pool) -> None:
    """Two jobs, of which one ran three times."""
    async with reading(pool) as connection:
        entries = [
            JobEntry(name=name, schedule=line, bound_seconds=600, attempts=4, next_at=NOON, planned_at=None)
            for name, line in (("storage", "0 4 * * *"), ("partitions", "every 3600 s"))
        ]
        await jobs.register(connection, entries, NOON)
        for day in range(3):
            at = NOON + timedelta(days=day)
            run = await job_runs.begin(connection, "storage", at, ticket=day, worker="w", now=at)
            if day < 2:
                ended = at + timedelta(seconds=2)
                await job_runs.end(connection, run, "ok", ended, report={"files": day})


async def test_the_table_tells_of_each_job_its_schedule_its_next_time_and_its_last_run(
    console: Console,
) -> None:
    answer = (await console.admin.get(PATH)).json()
    assert answer["next_cursor"] is None
    partitions, storage = answer["data"]
    assert (partitions["name"], partitions["last_run"]) == ("partitions", None)
    assert (storage["schedule"], storage["next_at"]) == ("0 4 * * *", "2026-11-21T12:00:00Z")
    assert storage["last_run"]["at"] == "2026-11-23T12:00:00Z"
    assert storage["last_run"]["outcome"] is None


async def test_runs_are_listed_the_newest_first_page_by_page(console: Console) -> None:
    rows = await console.all_pages(f"{PATH}/storage/runs", 2)
    assert [row["report"] for row in rows] == [None, {"files": 1}, {"files": 0}]
    assert rows[1]["ended_at"] == "2026-11-22T12:00:02Z"
    refused(await console.admin.get(f"{PATH}/storage/runs?cursor=x"), 400, "cursor")


async def test_a_run_that_is_asked_for_waits_for_a_worker_and_is_in_the_audit(
    console: Console, pool: Pool
) -> None:
    answer = await console.admin.post(f"{PATH}/storage/run", json={"at": "2026-11-21T04:00:00Z"})
    assert (answer.status_code, answer.json()) == (202, {"job": "storage", "at": "2026-11-21T04:00:00Z"})
    soon = await console.admin.post(f"{PATH}/storage/run")
    assert abs(datetime.fromisoformat(soon.json()["at"]) - datetime.now(UTC)) < timedelta(minutes=1)
    async with reading(pool) as connection:
        rows = await connection.fetch("select job, at, actor from job_request order by id")
    assert tuple(rows[0]) == ("storage", datetime(2026, 11, 21, 4, tzinfo=UTC), "admin token")
    assert len(rows) == 2
    entries = (await console.admin.get("/api/admin/audit?object=storage")).json()["data"]
    assert [entry["action"] for entry in entries] == ["job.run", "job.run"]


async def test_an_unknown_job_has_no_runs_and_cannot_be_asked_for(console: Console) -> None:
    refused(await console.admin.get(f"{PATH}/nothing/runs"), 404, says="there is no job 'nothing'")
    refused(await console.admin.post(f"{PATH}/nothing/run"), 404)
    refused(await console.admin.post(f"{PATH}/storage/run", json={"when": "now"}), 400, "when")
    assert (await console.admin.get("/api/admin/audit")).json()["data"] == []


async def test_only_administrators_come_in(console: Console) -> None:
    for answer in (
        await console.nobody.get(PATH),
        await console.nobody.get(f"{PATH}/storage/runs"),
        await console.nobody.post(f"{PATH}/storage/run"),
    ):
        assert answer.status_code == 401
