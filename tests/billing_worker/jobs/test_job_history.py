from datetime import UTC, datetime, timedelta

import pytest

from billing_worker.app import run_once
from billing_worker.jobs import job_history
from config.settings import Settings
from ledger import job_runs
from ledger.database import Pool, reading

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


async def kept(pool: Pool, job: str) -> list[datetime]:
    async with reading(pool) as connection:
        return [run.started_at for run in await job_runs.listing(connection, job, before=None, limit=100)]


async def test_old_runs_and_too_many_are_forgotten_and_open_ones_stay(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_history, "MOST", 3)
    days = [AT - timedelta(days=day) for day in (40, 31, 29, 1)]
    seconds = [AT - timedelta(seconds=second) for second in range(5, 0, -1)]
    async with reading(pool) as connection:
        for job, times in (("daily", days), ("often", seconds), ("stuck", days[:1])):
            for at in times:
                run = await job_runs.begin(connection, job, at, ticket=None, worker="w", now=at)
                if job != "stuck":
                    await job_runs.end(connection, run, "ok", at)
    await run_once(settings, "job_history", AT)
    assert await kept(pool, "daily") == [days[3], days[2]]
    assert await kept(pool, "often") == [seconds[4], seconds[3], seconds[2]]
    assert await kept(pool, "stuck") == [days[0]]
