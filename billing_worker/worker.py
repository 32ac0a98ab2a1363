"""One worker for as long as its session with Postgres lasts: the queue, the locks and the plan all hang on it."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from billing_worker.alone import alone
from billing_worker.job import Job
from billing_worker.planner import Planner
from billing_worker.queue import Queue
from billing_worker.runner import (
    CANCEL_SECONDS,
    RECORD_SECONDS,
    Cut,
    Runner,
    SessionLostError,
    WorkerStoppedError,
)
from ledger import jobs as job_table
from ledger.database import COMMAND_SECONDS, CONNECT_SECONDS, reading
from ledger.jobs import JobEntry

_END_SECONDS = CANCEL_SECONDS + RECORD_SECONDS + 2.0

_KEEPALIVE = {
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
"""Postgres gives up the session, and with it the locks, of a machine that went without a word."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """`look`: how often, in seconds, times and requests are looked for. `heartbeat`: after how long without one a
    worker is dead, and its work is handed to another. `grace`: how long running jobs may go on when the worker stops.
    `busy`: when to try again to run a job that runs already.
    """

    look: float = 1.0
    heartbeat: timedelta = timedelta(seconds=30)
    grace: timedelta = timedelta(seconds=8)
    busy: timedelta = timedelta(seconds=5)


class Worker:
    def __init__(
        self, runner: Runner, jobs: Mapping[str, Job], clock: Callable[[], datetime], pace: Pace
    ) -> None:
        self._runner = runner
        self._jobs = jobs
        self._clock = clock
        self._pace = pace

    async def serve(self, database_url: str, stop: asyncio.Event) -> None:
        """Until `stop`. Raises SessionLostError, DatabaseUnavailable or what asyncpg does where Postgres goes away."""
        await self._register()
        connection = await asyncpg.connect(
            database_url,
            timeout=CONNECT_SECONDS,
            command_timeout=COMMAND_SECONDS,
            server_settings={"application_name": "tollkeeper worker queue", "timezone": "UTC", **_KEEPALIVE},
        )
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            await self._on(Queue(connection, self._pace.heartbeat), stop, lost)
        finally:
            with suppress(TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=1.0)
            connection.terminate()

    async def _register(self) -> None:
        now = self._clock()
        async with reading(self._runner.pool) as connection, connection.transaction():
            await job_table.register(
                connection,
                [
                    JobEntry(
                        name=name,
                        schedule=str(job.times),
                        bound_seconds=job.bound.total_seconds(),
                        attempts=job.retry.attempts,
                        next_at=job.times.next(now),
                        planned_at=None,
                    )
                    for name, job in self._jobs.items()
                ],
                now,
            )

    async def _on(self, queue: Queue, stop: asyncio.Event, lost: asyncio.Event) -> None:
        cut = Cut()
        planner = Planner(queue.session, queue.enqueue, self._jobs, self._clock, self._pace.look)

        async def handle(name: str, at: datetime, ticket: int) -> timedelta | None:
            return await self._handle(queue, cut, name, at, ticket)

        serving = asyncio.create_task(queue.serve(self._jobs, handle), name="queue")
        planning = asyncio.create_task(planner.run(), name="planner")
        stopping, losing = asyncio.create_task(stop.wait()), asyncio.create_task(lost.wait())
        tasks = {serving, planning, stopping, losing}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            queue.stop()
            planning.cancel()
            if stop.is_set():
                await asyncio.wait(
                    {serving, losing},
                    timeout=self._pace.grace.total_seconds(),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                cut.now(WorkerStoppedError("the worker was stopped"))
            cut.now(SessionLostError("the session with Postgres was lost"))
            await asyncio.wait({serving}, timeout=_END_SECONDS)
        finally:
            cut.now(WorkerStoppedError("the worker was stopped"))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_END_SECONDS)
        for task in (planning, serving):
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error
        if not stop.is_set():
            raise SessionLostError("the session with Postgres was lost")

    async def _handle(self, queue: Queue, cut: Cut, name: str, at: datetime, ticket: int) -> timedelta | None:
        retry = self._jobs[name].retry
        async with alone(queue.session, name) as held:
            if not held:
                return self._pace.busy
            if await self._runner.served(name, at):
                return None
            used_up = await self._runner.used_up(name, ticket)
            if used_up < retry.attempts:
                ended = await self._runner.run(name, at, ticket=ticket, cut=cut)
                if ended.outcome == "ok":
                    return None
                if ended.outcome == "abandoned":
                    return timedelta()
                log.error("the job %s failed for %s", name, at.isoformat(), exc_info=ended.error)
                used_up = await self._runner.used_up(name, ticket)
            if used_up < retry.attempts:
                return retry.pause(used_up)
            await self._runner.give_up(name, at, used_up)
            return None
