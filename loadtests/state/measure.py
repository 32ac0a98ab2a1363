"""Two installations side by side, one with next to nothing in its ledger and one with much; both are called in turn."""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import median
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from loadtests.drain.backlog import fill as fill_backlog
from loadtests.stand.cores import divide, starting_on
from loadtests.stand.errors import StandError
from loadtests.stand.load import Load, Target, Wish, without_errors
from loadtests.stand.processes import cpu_seconds, descendants, resident_bytes, standing_still
from loadtests.stand.product import Product, Tenant, product
from loadtests.stand.programs import compiled
from loadtests.stand.stores import Stores, stores
from loadtests.stand.upstream import upstream
from loadtests.state.fill import Size, fill

TENANTS: Final = 32
"""Organizations that call, in both."""
_SPARE_BYTES: Final = 2 * 10**9
_LITTLE_LOG: Final = ("-c", "wal_level=minimal", "-c", "max_wal_senders=0", "-c", "max_wal_size=1GB")
_ONE: Final = Wish(clients=1, seconds=1.0, warm=0.2)
_MANY: Final = Wish(clients=64, seconds=1.5, warm=0.3)
_FIRST: Final = Wish(clients=64, seconds=1.0, warm=1.0)


@dataclass(frozen=True)
class State:
    """One installation: `ready` is seconds from the command to ready; the rest are medians of the rounds."""

    ready: float
    rate: float
    p50: float
    proxy_cpu: float
    redis_cpu: float
    drain_rate: float
    resident_mb: float


@dataclass(frozen=True)
class Found:
    size: Size
    gigabytes: float
    empty: State
    full: State


@dataclass
class _Installation:
    stores: Stores
    tenants: list[Tenant]
    running: Product | None = None

    @property
    def product(self) -> Product:
        assert self.running is not None
        return self.running


@dataclass(frozen=True)
class _Round:
    rate: float
    p50: float
    proxy_cpu: float
    redis_cpu: float
    drain_rate: float


def measure(size: Size, rounds: int, backlog: int) -> Found:
    """Raises StandError. To be called by the main thread."""
    cores = divide(1)
    with ExitStack() as stack:
        stack.enter_context(starting_on(cores.rest))
        servers = stack.enter_context(stores(durable=False, postgres_options=_LITTLE_LOG))
        free = shutil.disk_usage(servers.folder).free
        if free < size.bytes + _SPARE_BYTES:
            raise StandError(f"{size.bytes / 1e9:.0f} GB of disk are needed, {free / 1e9:.0f} are free")
        programs = compiled(servers.folder)
        load = Load(programs.load, servers.folder)
        answering = stack.enter_context(upstream(programs.upstream))
        both = [
            _begun(servers, name, number, load, answering.port)
            for number, name in enumerate(("empty", "full"))
        ]
        gigabytes = asyncio.run(_fill(both[1], size))
        for each in both:
            each.running = stack.enter_context(product(each.stores, answering.port, cores))
            load.run(_target(each), _FIRST)
        rounds_of: list[list[_Round]] = [[] for _ in both]
        for _ in range(rounds):
            for each, taken in zip(both, rounds_of, strict=True):
                taken.append(_round(each, load, backlog))
        empty, full = (_state(each, taken) for each, taken in zip(both, rounds_of, strict=True))
    return Found(size, gigabytes, empty, full)


def _begun(servers: Stores, name: str, number: int, load: Load, upstream_port: int) -> _Installation:
    """A database and a Redis of its own, tenants, and a row of usage."""
    folder = servers.folder / name
    folder.mkdir()
    asyncio.run(_create_database(servers.database_url, name))
    url = urlsplit(servers.database_url)
    own = replace(
        servers,
        folder=folder,
        database_url=url._replace(path=f"/{name}").geturl(),
        redis_url=f"redis://127.0.0.1:{servers.redis_port}/{number + 1}",
    )
    with product(own, upstream_port) as running:
        tenants = [running.tenant() for _ in range(TENANTS)]
        load.run(tenants[0].target, Wish(clients=1, seconds=2.0, warm=0.0))
        running.drained()
    return _Installation(own, tenants)


async def _create_database(database_url: str, name: str) -> None:
    connection = await asyncpg.connect(database_url, timeout=30)
    try:
        await connection.execute(f'create database "{name}"')
    finally:
        await connection.close(timeout=10)


async def _fill(installation: _Installation, size: Size) -> float:
    url = installation.stores.database_url
    await fill(url, size, installation.tenants[0].organization_id, datetime.now(UTC))
    connection = await asyncpg.connect(url, timeout=30)
    try:
        return float(await connection.fetchval("select pg_database_size(current_database())")) / 1e9
    finally:
        await connection.close(timeout=10)


def _target(installation: _Installation) -> Target:
    return Target(installation.product.port, keys=[each.key for each in installation.tenants])


def _round(installation: _Installation, load: Load, backlog: int) -> _Round:
    running, target = installation.product, _target(installation)
    one = without_errors(load.run(target, _ONE))
    parts: Mapping[str, Callable[[], list[int]]] = {
        "proxy": lambda: running.pids("proxy"),
        "redis": lambda: descendants(installation.stores.redis),
    }
    before: dict[str, float] = {}

    def measuring() -> None:
        before.update({name: cpu_seconds(pids()) for name, pids in parts.items()})

    many = without_errors(load.run(target, _MANY, measuring))
    cpu = {name: (cpu_seconds(pids()) - before[name]) / many.calls * 1e6 for name, pids in parts.items()}
    running.drained()
    (drain,) = running.pids("drain")
    with standing_still(drain):
        fill_backlog(installation.stores.redis_url, installation.tenants[0], backlog)
    return _Round(many.rate, one.took.p50, cpu["proxy"], cpu["redis"], backlog / max(1e-3, running.drained()))


def _state(installation: _Installation, rounds: list[_Round]) -> State:
    running = installation.product
    return State(
        ready=running.ready_seconds,
        rate=median(each.rate for each in rounds),
        p50=median(each.p50 for each in rounds),
        proxy_cpu=median(each.proxy_cpu for each in rounds),
        redis_cpu=median(each.redis_cpu for each in rounds),
        drain_rate=median(each.drain_rate for each in rounds),
        resident_mb=resident_bytes(running.pids("proxy")) / 1e6,
    )
