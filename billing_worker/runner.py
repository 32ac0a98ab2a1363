"""One attempt at a job: written down when it begins and when it ends, however it ends."""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from billing_worker.failures import Failure, failure_of
from billing_worker.job import Context, Job, Report
from ledger import alerts, job_runs
from ledger.database import Connection, DatabaseUnavailable, Pool, reading, transaction
from ledger.job_runs import Outcome

FAILED = "job_failed"
"""The kind of alert, with the job's name as its object."""

CANCEL_SECONDS = 5.0
RECORD_SECONDS = 10.0
_LONGEST_REPORT = 4_000

log = logging.getLogger(__name__)


class WorkerStoppedError(Exception):
    """The worker was told to end before the job did."""


class SessionLostError(Exception):
    """The worker lost its session with Postgres, and with it the job's lock."""


class Ended(NamedTuple):
    """`error` is what the work raised, or what ended it."""

    outcome: Outcome
    error: Exception | None
    report: Report | None = None


class Cut:
    """Ends the runs of one worker from outside."""

    def __init__(self) -> None:
        self._done = asyncio.Event()
        self.reason: Exception | None = None

    def now(self, reason: Exception) -> None:
        if self.reason is None:
            self.reason = reason
            self._done.set()

    async def wait(self) -> None:
        await self._done.wait()


class Runner:
    """Runs attempts and keeps their record. `clock` tells when they begin and end, never what they act for."""

    def __init__(self, context: Context, jobs: Mapping[str, Job], clock: Callable[[], datetime]) -> None:
        self._context = context
        self._jobs = jobs
        self._clock = clock
        self._worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"

    @property
    def pool(self) -> Pool:
        return self._context.pool

    async def run(self, name: str, at: datetime, *, ticket: int | None, cut: Cut) -> Ended:
        """For whoever holds the job's lock. Raises DatabaseUnavailable where it could not be written down first."""
        async with transaction(self.pool) as connection:
            await self._abandon(connection, name)
            number = await job_runs.begin(
                connection, name, at, ticket=ticket, worker=self._worker, now=self._clock()
            )
        ended = await self._carry_out(self._jobs[name], at, cut)
        await self._record(name, number, ended)
        return ended

    async def _carry_out(self, job: Job, at: datetime, cut: Cut) -> Ended:
        work = asyncio.ensure_future(job.work(self._context, at))
        cutting = asyncio.create_task(cut.wait())
        try:
            await asyncio.wait(
                {work, cutting}, timeout=job.bound.total_seconds(), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            late = not work.done()
            work.cancel()
            cutting.cancel()
            if late:
                await asyncio.wait({work}, timeout=CANCEL_SECONDS)
        if late:
            if not work.done():
                log.error("%s does not end although it was cut off", job.work)
            elif not work.cancelled() and (error := work.exception()) is not None:
                log.warning("%s failed while it was cut off", job.work, exc_info=error)
            if cut.reason is not None:
                return Ended("abandoned", cut.reason)
            return Ended("timeout", TimeoutError(f"it took longer than {job.bound}"))
        if work.cancelled():
            return Ended("failed", RuntimeError("it cancelled itself"))
        error = work.exception()
        if error is None:
            return Ended("ok", None, work.result())
        if not isinstance(error, Exception):
            raise error
        return Ended("failed", error)

    async def _record(self, name: str, number: int, ended: Ended) -> None:
        """Tries for RECORD_SECONDS; a run that cannot be written down then is found abandoned by the next one."""
        failure = Failure("", "") if ended.error is None else failure_of(ended.error, self._context.settings)
        try:
            async with asyncio.timeout(RECORD_SECONDS):
                while True:
                    try:
                        await self._write(name, number, ended, failure)
                    except DatabaseUnavailable:
                        await asyncio.sleep(0.5)
                    else:
                        return
        except TimeoutError:
            log.error("what became of run %d of the job %s could not be written down", number, name)  # noqa: TRY400

    async def _write(self, name: str, number: int, ended: Ended, failure: Failure) -> None:
        now = self._clock()
        async with transaction(self.pool) as connection:
            await job_runs.end(
                connection,
                number,
                ended.outcome,
                now,
                report=_short(ended.report),
                error=failure.error or None,
                message=failure.message or None,
            )
            if ended.outcome == "ok":
                await alerts.resolve(connection, FAILED, name, at=now)

    async def give_up(self, name: str, at: datetime, attempts: int) -> None:
        """Raises the alert: nobody tries any more for this time. Raises DatabaseUnavailable."""
        async with transaction(self.pool) as connection:
            (last,) = await job_runs.listing(connection, name, before=None, limit=1)
            what = f"{last.error}: {last.message}" if last.error else last.message or last.outcome or ""
            await alerts.raise_(
                connection,
                FAILED,
                name,
                "error",
                f"the job {name} failed for {at.isoformat()}, after {attempts} attempts: {what}",
                at=self._clock(),
                detail={"at": at.isoformat(), "attempts": attempts, "run": last.id},
            )

    async def used_up(self, name: str, ticket: int) -> int:
        """Attempts that count, for whoever holds the job's lock."""
        async with transaction(self.pool) as connection:
            await self._abandon(connection, name)
            return await job_runs.used_up(connection, ticket)

    async def _abandon(self, connection: Connection, name: str) -> None:
        for gone in await job_runs.abandon_open(connection, name, self._clock()):
            log.warning("run %d of the job %s was abandoned by its worker", gone, name)

    async def served(self, name: str, at: datetime) -> bool:
        async with reading(self.pool) as connection:
            return await job_runs.served(connection, name, at)


def _short(report: Report | None) -> dict[str, Any] | None:
    if report is None:
        return None
    # A report that cannot be written down must not make a failure of work that is done.
    written = orjson.dumps(dict(report), default=str)
    short: dict[str, Any] = orjson.loads(written)
    return short if len(written) <= _LONGEST_REPORT else {"left_out_bytes": len(written)}
