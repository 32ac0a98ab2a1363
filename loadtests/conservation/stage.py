"""The real parts of a run: engines, several proxies, the drain, the worker, and the simulated upstream."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis

import config
from config.settings import load_settings
from ledger import api_keys, exchange, organizations, plans, price_rows, subscriptions, usage_partitions
from ledger.announcements import announce
from ledger.database import close_pool, open_pool, transaction
from ledger.keys import KeyHasher
from ledger.migrations import migrate
from ledger.plans import PlanTerms
from ledger.price_file import load_price_list
from runtime import ports
from runtime.child import Child, Program
from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from runtime.parts import Parts

_KEY_SECRET: Final = "the key secret of the conservation test"
_UPSTREAM_KEY: Final = "sk-upstream-of-the-conservation-test"
_CUT_SECONDS: Final = 0.2
HOLD_SECONDS: Final = 6.0
"""How long a hold lives without renewal: a killed proxy's requests are settled soon enough to be waited for."""


@dataclass(frozen=True)
class Tenant:
    """`limits` of its plan, by name; none are unlimited."""

    organization_id: str
    plan_id: str
    key: str
    limits: Mapping[str, int]


class Loss(NamedTuple):
    """A proxy was killed just when Redis lost its data, `at` that time by the monotonic clock: nobody is left who could
    tell what it had under way."""

    proxy: str
    at: float


@dataclass
class Stage:
    """`proxies` are their addresses without `/v1`."""

    database_url: str
    redis_url: str
    folder: Path
    upstream: str
    proxies: list[str]
    programs: dict[str, Program]
    children: dict[str, Child] = field(default_factory=dict)
    killed_at: float = 0.0
    """When a proxy was killed last, by the monotonic clock."""
    losses: list[Loss] = field(default_factory=list)

    def start(self, *names: str) -> None:
        for name in names:
            self.children[name] = child = Child(self.programs[name])
            child.wait_ready()

    async def start_again(self, name: str) -> None:
        """While clients go on. A child must be made by the main thread; another waits for it."""
        self.children[name] = child = Child(self.programs[name])
        await asyncio.to_thread(child.wait_ready)

    def kill(self, name: str) -> None:
        child = self.children.pop(name)
        if name.startswith("proxy"):
            self.killed_at = time.monotonic()
        child.signal(signal.SIGKILL)
        child.wait(10)

    def stop(self, name: str) -> None:
        self.children.pop(name).stop()

    def forget(self) -> None:
        """The data of Redis, which does not run."""
        for path in (self.folder / "valkey").iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def freeze(self, name: str) -> None:
        """The program and what it started stand still."""
        self._signal(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self._signal(name, signal.SIGCONT)

    def _signal(self, name: str, number: signal.Signals) -> None:
        # A child is started in a session of its own, so its group is all that it started.
        os.killpg(self.children[name].pid, number)

    async def tenant(self, number: int, **limits: int) -> Tenant:
        made = KeyHasher(_KEY_SECRET.encode()).make()
        pool = await open_pool(self.database_url, size=1)
        try:
            async with transaction(pool) as connection:
                organization = await organizations.create(connection, "test", name=f"Tenant {number}")
                terms = PlanTerms.model_validate(
                    {"name": f"Plan {number}", "limits": limits, "unpriced_models": "allow"}
                )
                plan = await plans.create(connection, "test", terms)
                await subscriptions.replace(
                    connection, "test", organization.id, plan.id, now=datetime.now(UTC)
                )
                await api_keys.create(connection, "test", organization.id, made, name="key")
        finally:
            await close_pool(pool)
        return Tenant(organization.id, plan.id, made.secret, limits)

    async def change_plan(self, tenant: Tenant, **changes: Any) -> None:
        """Takes effect at once in every proxy."""
        pool = await open_pool(self.database_url, size=1)
        redis = Redis.from_url(self.redis_url)
        try:
            async with transaction(pool) as connection:
                await plans.change(connection, "test", tenant.plan_id, changes)
            await announce(redis, tenant.organization_id)
        finally:
            await redis.aclose()
            await close_pool(pool)


async def cut_connections(made: Stage, seconds: float) -> None:
    """All connections to Redis break, again and again."""
    redis = Redis.from_url(made.redis_url)
    try:
        for _ in range(max(1, round(seconds / _CUT_SECONDS))):
            await redis.client_kill_filter(_type="normal", skipme=True)
            await asyncio.sleep(_CUT_SECONDS)
    finally:
        await redis.aclose()


async def _prepare(database_url: str) -> None:
    await migrate(database_url)
    folder = Path(config.__file__).parent / "prices"
    pool = await open_pool(database_url, size=1)
    try:
        async with transaction(pool) as connection:
            await price_rows.store(connection, load_price_list(folder / "openai.yaml"))
            await exchange.store(connection, exchange.ExchangeRates.load(folder / "exchange_rates.csv"))
            await usage_partitions.ensure_month(connection, datetime.now(UTC))
    finally:
        await close_pool(pool)


def _free_ports(count: int) -> list[int]:
    sockets = [ports.reserve("127.0.0.1", 0, option="port") for _ in range(count)]
    numbers = [ports.number(each) for each in sockets]
    for each in sockets:
        each.close()
    return numbers


@contextmanager
def stage(proxies: int) -> Iterator[Stage]:
    """Everything runs; it is ended, and its data removed, at the end."""
    folder = Path(tempfile.mkdtemp(prefix="tk-"))
    folder.chmod(0o711)
    postgres, valkey = Postgres(folder), Valkey(folder)
    for engine in (postgres, valkey):
        engine.prepare()
    upstream_port, *proxy_ports = _free_ports(1 + proxies)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DATABASE_URL": postgres.url(),
        "REDIS_URL": valkey.url(),
        "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream_port}/v1",
        "OPENAI_API_KEY": _UPSTREAM_KEY,
        "TOLLKEEPER_DATA_DIR": str(folder / "data"),
        "TOLLKEEPER_KEY_SECRET": _KEY_SECRET,
        "TOLLKEEPER_ADMIN_TOKEN": "the admin token of the conservation test",
        "TOLLKEEPER_HOLD_TTL_SECONDS": str(HOLD_SECONDS),
        "TOLLKEEPER_COLLECT_SECONDS": "1",
        "TOLLKEEPER_LOG_LEVEL": "error",
    }
    parts = Parts(load_settings(environ), environ)
    programs = {
        "postgres": postgres.program(),
        "redis": valkey.program(),
        "upstream": parts.simulated_upstream("127.0.0.1", upstream_port),
        "drain": parts.background("drain"),
        "worker": parts.background("worker"),
    }
    for number, port in enumerate(proxy_ports):
        own = environ | {"TOLLKEEPER_PROXY_PORT": str(port)}
        programs[f"proxy{number}"] = Parts(load_settings(own), own).proxies()[0]
    made = Stage(
        postgres.url(),
        valkey.url(),
        folder,
        f"http://127.0.0.1:{upstream_port}",
        [f"http://127.0.0.1:{port}" for port in proxy_ports],
        programs,
    )
    try:
        made.start("postgres", "redis", "upstream")
        asyncio.run(postgres.create_database())
        asyncio.run(_prepare(made.database_url))
        made.start("drain", "worker", *(f"proxy{number}" for number in range(proxies)))
        yield made
    finally:
        for name in ("worker", "drain", *(name for name in made.children if name.startswith("proxy"))):
            if name in made.children:
                made.stop(name)
        for name in reversed(list(made.children)):
            made.stop(name)
        postgres.release()
        valkey.release()
        shutil.rmtree(folder, ignore_errors=True)
