"""A backlog of records is put into Redis while the drain stands still; then the drain has a core to itself.

Afterwards calls are made at a steady rate, with a backlog that is drained meanwhile and without, in turn.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

from loadtests.drain.backlog import fill, waiting
from loadtests.stand.cores import Cores, divide, move, starting_on
from loadtests.stand.errors import StandError
from loadtests.stand.load import Load, Seen, Wish, without_errors
from loadtests.stand.processes import cpu_seconds, descendants, standing_still
from loadtests.stand.product import Product, Tenant, product
from loadtests.stand.programs import compiled
from loadtests.stand.stores import Stores, stores
from loadtests.stand.upstream import upstream

_CALLS: Final = Wish(clients=32, seconds=2.0, warm=0.5, rate=300)
_PATIENCE_SECONDS: Final = 240.0
_BACKLOG_PER_SECOND: Final = 40_000
"""More than any drain moves while the calls are made, so that it is busy all the time."""


@dataclass(frozen=True)
class Speed:
    """`rate` in records a second; CPU in microseconds a record."""

    rate: float
    drain_cpu: float
    postgres_cpu: float
    redis_cpu: float


@dataclass(frozen=True)
class Calls:
    """Of calls at a steady rate, in milliseconds."""

    p50: float
    p99: float


@dataclass(frozen=True)
class Found:
    records: int
    apart: bool
    speed: Speed
    quiet: Calls
    draining: Calls


def measure(records: int, rounds: int) -> Found:
    """Raises StandError. To be called by the main thread."""
    cores = divide(1)
    with starting_on(cores.rest), stores(durable=False) as servers:
        programs = compiled(servers.folder)
        load = Load(programs.load, servers.folder)
        with upstream(programs.upstream) as answering, product(servers, answering.port, cores) as running:
            tenant = running.tenant()
            _drained(
                servers, running, tenant, cores, min(records, 5_000)
            )  # connections, plans, the interpreter
            speed = _drained(servers, running, tenant, cores, records)
            quiet, draining = _beside(servers, running, tenant, load, rounds)
    return Found(records, cores.apart, speed, quiet, draining)


def _drained(servers: Stores, running: Product, tenant: Tenant, cores: Cores, records: int) -> Speed:
    parts: dict[str, Callable[[], list[int]]] = {
        "drain": lambda: running.pids("drain"),
        "postgres": lambda: descendants(servers.postgres) if servers.postgres else [],
        "redis": lambda: [servers.redis] if servers.redis else [],
    }
    (drain,) = running.pids("drain")
    with standing_still(drain):
        fill(servers.redis_url, tenant, records)
        move(drain, cores.measured)
        before = {name: cpu_seconds(pids()) for name, pids in parts.items()}
        began = time.monotonic()
    try:
        _wait(lambda: waiting(servers.redis_url) == 0)
        took = time.monotonic() - began
        used = {name: (cpu_seconds(pids()) - before[name]) / records * 1e6 for name, pids in parts.items()}
    finally:
        move(drain, cores.rest)
    return Speed(records / took, used["drain"], used["postgres"], used["redis"])


def _beside(
    servers: Stores, running: Product, tenant: Tenant, load: Load, rounds: int
) -> tuple[Calls, Calls]:
    (drain,) = running.pids("drain")
    load.run(tenant.target, _CALLS)
    quiet, draining = [], []
    for _ in range(rounds):
        _wait(lambda: waiting(servers.redis_url) == 0)
        quiet.append(without_errors(load.run(tenant.target, _CALLS)))
        _wait(lambda: waiting(servers.redis_url) == 0)
        with standing_still(drain):
            fill(servers.redis_url, tenant, int(_BACKLOG_PER_SECOND * (_CALLS.seconds + _CALLS.warm)))
        draining.append(without_errors(load.run(tenant.target, _CALLS)))
        if not waiting(servers.redis_url):
            raise StandError("the drain was done before the calls were: its backlog was too small")
    _wait(lambda: waiting(servers.redis_url) == 0)
    return _calls(quiet), _calls(draining)


def _calls(seen: list[Seen]) -> Calls:
    return Calls(median(each.took.p50 for each in seen), median(each.took.p99 for each in seen))


def _wait(over: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not over():
        if time.monotonic() > deadline:
            raise StandError(f"records are left in Redis after {_PATIENCE_SECONDS:g} s")
        time.sleep(0.02)
