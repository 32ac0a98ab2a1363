"""Brings the times of jobs, and the runs that people ask for, into the queue."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Protocol

from billing_worker.alone import Session
from billing_worker.job import Job

_SHORTEST_PAUSE = 0.05
_PER_LOOK = 100


class Enqueue(Protocol):
    """Adds an entry unless one with this key waits or runs; says whether it did."""

    def __call__(self, job: str, at: datetime, key: str) -> Awaitable[bool]: ...


class Planner:
    """Of the times that have come since a job was planned last, only the latest is taken up: a worker that was away
    runs each job once when it returns, and a job that takes longer than its interval is not run for what it missed.

    A time is enqueued before it is noted, so none is lost; a run for a time that was done already is left out later.
    """

    def __init__(
        self,
        session: Session,
        enqueue: Enqueue,
        jobs: Mapping[str, Job],
        clock: Callable[[], datetime],
        longest_pause: float,
    ) -> None:
        self._session = session
        self._enqueue = enqueue
        self._jobs = jobs
        self._clock = clock
        self._longest_pause = longest_pause
        self._planned: dict[str, datetime] = {}

    async def run(self) -> None:
        """For ever. Raises what the session raises."""
        while True:
            now = self._clock()
            for name, job in self._jobs.items():
                await self._plan(name, job, now)
            await self._take_requests()
            await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        now = self._clock()
        soonest = min((job.times.next(now) - now).total_seconds() for job in self._jobs.values())
        return max(_SHORTEST_PAUSE, min(soonest, self._longest_pause))

    async def _plan(self, name: str, job: Job, now: datetime) -> None:
        latest = job.times.latest(now)
        if name in self._planned and self._planned[name] >= latest:
            return
        rows = await self._session.fetch("select planned_at from job where name = $1", name)
        if not rows:
            return  # another worker, with another table of jobs, has taken it out
        planned = rows[0]["planned_at"]
        if planned is None or planned < latest:
            if not await self._enqueue(name, latest, name):
                return  # an earlier time is still in the queue; this one, or a later one, follows it
            await self._session.fetch(
                "update job set planned_at = greatest(planned_at, $2), next_at = $3 where name = $1",
                *(name, latest, job.times.next(now)),
            )
            planned = latest
        self._planned[name] = planned

    async def _take_requests(self) -> None:
        rows = await self._session.fetch(
            "select id, job, at from job_request where job = any($1) order by id limit $2",
            *(list(self._jobs), _PER_LOOK),
        )
        for row in rows:
            await self._enqueue(row["job"], row["at"], f"{row['job']}@{row['at'].isoformat()}")
            await self._session.fetch("delete from job_request where id = $1", row["id"])
