"""A worker whose Postgres goes away and comes back: a server of the test's own."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ledger.migrations import migrate
from runtime.child import Child
from runtime.engines.postgres import Postgres
from tests.billing_worker.workers import Workers, make_tables, stop
from tests.system import until


@pytest.fixture
def server() -> Iterator[Postgres]:
    path = Path(tempfile.mkdtemp(prefix="tk-"))
    path.chmod(0o711)
    made = Postgres(path)
    made.prepare()
    yield made
    made.release()
    shutil.rmtree(path, ignore_errors=True)


def started(server: Postgres) -> Child:
    child = Child(server.program())
    child.wait_ready()
    return child


async def fetch(url: str, query: str) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return [dict(row) for row in await connection.fetch(query)]
    finally:
        await connection.close(timeout=5)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGQUIT])
async def test_a_worker_waits_for_postgres_and_takes_up_what_it_was_at(
    server: Postgres, end: signal.Signals
) -> None:
    child = started(server)
    await server.create_database()
    url = server.url()
    await migrate(url)
    await make_tables(url)
    workers = Workers(url)
    try:
        worker = workers.start("gated", "quick")

        async def runs(query: str, count: int) -> list[dict[str, Any]]:
            async def enough() -> list[dict[str, Any]] | None:
                rows = await fetch(url, query)
                return rows if len(rows) >= count else None

            return await until(enough, query)

        await runs("select from did where pid > 0", 3)
        (open_run,) = await runs("select at from job_run where job = 'gated'", 1)
        child.signal(end)
        child.wait(20)
        assert worker.poll() is None
        child = started(server)
        await fetch(url, "insert into gate values (true)")
        (done,) = await runs("select * from job_run where job = 'gated' and outcome = 'ok'", 1)
        assert done["at"] == open_run["at"]
        ended = await runs("select at from job_run where job = 'quick' and outcome = 'ok'", 3)
        assert len({row["at"] for row in ended}) == len(ended)
        await runs(f"select from job_run where job = 'quick' and started_at > '{done['started_at']}'", 2)
        assert stop(worker) == 0
    finally:
        workers.kill()
        child.stop()
