"""Which core does what: what is measured has one to itself, all else shares the other."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from loadtests.stand.processes import descendants, threads


@dataclass(frozen=True)
class Cores:
    """Numbers of cores: `measured` for what is measured, `rest` for load, servers and upstream."""

    measured: frozenset[int]
    rest: frozenset[int]

    @property
    def apart(self) -> bool:
        """Whether the machine has the cores to keep them apart."""
        return self.measured.isdisjoint(self.rest)


def divide(workers: int) -> Cores:
    """As many cores for the workers, the others for the rest; on a machine with too few they share."""
    there = sorted(os.sched_getaffinity(0))
    rest = there[workers:] or there[-1:]
    return Cores(frozenset(there[:workers]), frozenset(rest))


@contextmanager
def starting_on(cores: Collection[int]) -> Iterator[None]:
    """What is started meanwhile, by this thread, runs on these cores alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def move(pid: int, cores: Collection[int]) -> None:
    """The program and all that it started go on there."""
    for each in descendants(pid):
        for thread in threads(each):
            try:
                os.sched_setaffinity(thread, cores)
            except ProcessLookupError:
                continue


@contextmanager
def together() -> Iterator[None]:
    """This program and all that it started share one core meanwhile."""
    before = os.sched_getaffinity(0)
    move(os.getpid(), {max(before)})
    try:
        yield
    finally:
        move(os.getpid(), before)
