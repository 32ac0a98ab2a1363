"""What a job is: its work, its times, how long a run may take, and how often it is tried."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from billing_worker.times import Times
from config.settings import Settings
from ledger.database import Pool


@dataclass(frozen=True, slots=True)
class Context:
    """What work is done with."""

    pool: Pool
    settings: Settings


Report: TypeAlias = Mapping[str, int | str | bool | list[str] | None]
"""What a run did, in a few figures and names. It is stored and shown: no secret, nothing of a prompt."""

Work: TypeAlias = Callable[[Context, datetime], Awaitable[Report | None]]
"""Acts as if it were the given time (aware, UTC), which may be past. It may be repeated, begun twice at once and cut
off at any await without harm, and bounds each of its waits. What it raises fails the run.
"""


@dataclass(frozen=True, slots=True)
class Retry:
    """Tries for one time: `attempts` of them, after pauses from `first` on, each twice the last, up to `longest`."""

    attempts: int = 4
    first: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(minutes=15)

    def pause(self, failures: int) -> timedelta:
        """After so many failures, from 1 on."""
        return min(self.first * (1 << min(failures - 1, 30)), self.longest)


@dataclass(frozen=True, slots=True)
class Job:
    """`bound` ends a run that takes too long."""

    times: Times
    work: Work
    bound: timedelta = timedelta(minutes=10)
    retry: Retry = field(default_factory=Retry)
