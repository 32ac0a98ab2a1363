"""The table of jobs: what runs, and how often."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from billing_worker.jobs.partitions import partitions
from ledger.database import Pool


@dataclass(frozen=True, slots=True)
class Job:
    """`work` gets the pool and the time it is to act for; it may be repeated at any time without harm.

    `bound` ends a run that takes too long.
    """

    every: timedelta
    work: Callable[[Pool, datetime], Awaitable[None]]
    bound: timedelta = timedelta(minutes=10)


JOBS: Mapping[str, Job] = MappingProxyType(
    {
        "partitions": Job(timedelta(hours=1), partitions),
    }
)
