"""What became of jobs is forgotten in time."""

from datetime import datetime, timedelta

from billing_worker.job import Context, Report
from ledger import job_runs
from ledger.database import reading

KEPT = timedelta(days=30)
MOST = 10_000
"""Runs of one job: those that come every few seconds are kept for days, the others for all of KEPT."""
QUEUE_KEPT = timedelta(days=2)
"""The queue's own log, which says nothing that the runs do not say."""


async def job_history(context: Context, at: datetime) -> Report:
    """Deletes runs that are older than KEPT or beyond MOST."""
    async with reading(context.pool) as connection:
        runs = await job_runs.forget(connection, at - KEPT, most=MOST)
        # What no worker has known in all that time, none will.
        await connection.execute("delete from job_request where asked_at < $1", at - QUEUE_KEPT)
        await connection.execute("delete from pgqueuer_log where created < $1", at - QUEUE_KEPT, timeout=60)
    return {"runs": runs}
