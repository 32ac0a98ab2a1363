"""The data plane as it runs: simulator, proxy and drain as processes of their own, on real Postgres and Valkey."""

import asyncio
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any, TypeVar

import asyncpg
import httpx

import config
from config.settings import Settings, load_settings
from ledger import (
    api_keys,
    exchange,
    members,
    organizations,
    plans,
    price_rows,
    subscriptions,
    token_packs,
    upstream_objects,
    usage_partitions,
)
from ledger.announcements import announce
from ledger.database import Connection, close_pool, open_pool, transaction
from ledger.keys import KeyHasher
from ledger.limits import Limits
from ledger.migrations import migrate
from ledger.partitions import partition_of
from ledger.periods import month_of
from ledger.plans import PlanTerms
from ledger.price_file import load_price_list
from ledger.upstream_objects import UpstreamObject
from proxy.quota import keys
from proxy.quota.clock import milliseconds
from runtime import ports
from runtime.child import Child, Program
from runtime.parts import Parts
from tests.redis_client import open_redis

KEY_SECRET = "a secret of the tests, long enough"
UPSTREAM_KEY = "sk-upstream-of-the-tests"
WAIT_SECONDS = 20.0
LONGEST_HOLD_MS = 600_000
"""Of a request that runs; holds of work that goes on live for hours."""

_numbers = itertools.count(1)
T = TypeVar("T")


@dataclass(frozen=True)
class Tenant:
    """An organization with a plan of its own and one key."""

    organization_id: str
    plan_id: str
    key_id: str
    key: str


@dataclass
class System:
    """`proxy_url` and `upstream_url` without `/v1`. Children are started by `start` and ended by `stop`.

    `upstream_options` are further words for the simulator's command line.
    """

    database_url: str
    redis_url: str
    environ: dict[str, str]
    children: dict[str, Child] = field(default_factory=dict)
    proxy_url: str = ""
    upstream_url: str = ""
    upstream_options: tuple[str, ...] = ()

    @property
    def settings(self) -> Settings:
        return load_settings(self.environ)

    def start(self, *names: str) -> None:
        """Of: upstream, proxy, drain. They answer when this returns."""
        for name in names:
            child = Child(self._program(name))
            self.children[name] = child
            child.wait_ready()

    def stop(self, *names: str) -> None:
        for name in names or reversed(list(self.children)):
            if (child := self.children.pop(name, None)) is not None:
                assert child.stop() in (0, -signal.SIGTERM), f"{name} did not end well"

    def kill(self, name: str) -> None:
        """kill -9."""
        child = self.children.pop(name)
        child.signal(signal.SIGKILL)
        child.wait(10)

    def _program(self, name: str) -> Program:
        parts = Parts(self.settings, self.environ)
        if name == "upstream":
            program = parts.simulated_upstream("127.0.0.1", int(self.upstream_url.rpartition(":")[2]))
            return replace(program, argv=[*program.argv, *self.upstream_options])
        return parts.proxies()[0] if name == "proxy" else parts.background(name)

    def client(self, tenant: Tenant, **options: Any) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {tenant.key}"}
        return httpx.AsyncClient(base_url=self.proxy_url, headers=headers, timeout=30, **options)

    async def tenant(self, *, key_limits: Limits | None = None, **terms: Any) -> Tenant:
        """A new organization under a plan with these terms (PlanTerms; `limits` as a mapping)."""
        number = next(_numbers)
        made = KeyHasher(KEY_SECRET.encode()).make()
        pool = await open_pool(self.database_url, size=1)
        try:
            async with transaction(pool) as connection:
                organization = await organizations.create(connection, "test", name=f"Organization {number}")
                plan = await plans.create(connection, "test", PlanTerms(name=f"Plan {number}", **terms))
                await subscriptions.replace(
                    connection, "test", organization.id, plan.id, now=datetime.now(UTC)
                )
                key = await api_keys.create(
                    connection, "test", organization.id, made, name="key", limits=key_limits
                )
        finally:
            await close_pool(pool)
        return Tenant(organization.id, plan.id, key.id, made.secret)

    async def another_key(self, tenant: Tenant, *, limits: Limits | None = None) -> Tenant:
        """The same organization, by another key."""
        made = KeyHasher(KEY_SECRET.encode()).make()
        pool = await open_pool(self.database_url, size=1)
        try:
            async with transaction(pool) as connection:
                key = await api_keys.create(
                    connection, "test", tenant.organization_id, made, name="another", limits=limits
                )
        finally:
            await close_pool(pool)
        return Tenant(tenant.organization_id, tenant.plan_id, key.id, made.secret)

    async def keys_of_a_member(self, tenant: Tenant, limits: Limits) -> tuple[Tenant, Tenant]:
        """Two keys of a new member of the organization, which is held to these limits."""
        keys = []
        pool = await open_pool(self.database_url, size=1)
        try:
            async with transaction(pool) as connection:
                person = await members.create(
                    connection,
                    "test",
                    tenant.organization_id,
                    keycloak_user_id=f"person-{next(_numbers)}",
                    now=datetime.now(UTC),
                    limits=limits,
                )
                for name in ("one", "other"):
                    made = KeyHasher(KEY_SECRET.encode()).make()
                    key = await api_keys.create(
                        connection, "test", tenant.organization_id, made, name=name, member_id=person.id
                    )
                    keys.append(replace(tenant, key_id=key.id, key=made.secret))
        finally:
            await close_pool(pool)
        return keys[0], keys[1]

    async def buy_tokens(self, tenant: Tenant, tokens: int) -> None:
        """A pack of tokens for the present month; proxies are told."""
        pool = await open_pool(self.database_url, size=1)
        redis = open_redis(self.redis_url)
        try:
            async with transaction(pool) as connection:
                await token_packs.create(
                    connection, "test", tenant.organization_id, tokens=tokens, now=datetime.now(UTC)
                )
            await announce(redis, tenant.organization_id)
        finally:
            await redis.aclose()
            await close_pool(pool)

    async def records(self, tenant: Tenant, count: int) -> list[dict[str, Any]]:
        """The tenant's usage rows, oldest first, once there are `count` of them. Fails on more, or on too few."""
        query = "select * from usage where organization_id = $1 order by occurred_at, request_id"

        async def enough() -> list[dict[str, Any]] | None:
            rows = await self.fetch(query, tenant.organization_id)
            return rows if len(rows) >= count else None

        rows = await until(enough, f"{count} records of {tenant.organization_id}")
        assert len(rows) == count
        return rows

    async def counters(self, tenant: Tenant) -> dict[str, int]:
        """What Redis has of the organization's month."""
        start = milliseconds(month_of(datetime.now(UTC), "UTC").start)
        name = keys.period(partition_of(tenant.organization_id), f"o:{tenant.organization_id}", start)
        redis = open_redis(self.redis_url)
        try:
            found: dict[Any, Any] = await redis.hgetall(name)
            return {field.decode(): int(value) for field, value in found.items()}
        finally:
            await redis.aclose()

    async def metric(self, name: str) -> float:
        """Of the proxy; the sum over its labels."""
        async with httpx.AsyncClient(base_url=self.proxy_url, timeout=10) as client:
            page = (await client.get("/metrics")).text
        return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith(name))

    async def forget_counters(self, tenant: Tenant) -> None:
        """As if Redis had lost what the organization used in this period."""
        redis = open_redis(self.redis_url)
        try:
            lost = [key async for key in redis.scan_iter(f"*:period:o:{tenant.organization_id}:*")]
            assert lost
            await redis.delete(*lost)
        finally:
            await redis.aclose()

    async def forget_objects(self, tenant: Tenant) -> None:
        """As if Redis had lost whose objects these are."""
        redis = open_redis(self.redis_url)
        try:
            lost = [key async for key in redis.scan_iter(f"*:owns:{tenant.organization_id}:*")]
            assert lost
            await redis.delete(*lost)
        finally:
            await redis.aclose()

    async def execute(self, query: str, *arguments: Any) -> None:
        connection = await asyncpg.connect(self.database_url, timeout=5)
        try:
            await connection.execute(query, *arguments)
        finally:
            await connection.close(timeout=5)

    async def fetch(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(self.database_url, timeout=5)
        try:
            return [dict(row) for row in await connection.fetch(query, *arguments)]
        finally:
            await connection.close(timeout=5)

    async def own(self, tenant: Tenant, ids: Collection[str]) -> None:
        """These objects upstream are the tenant's."""
        now = datetime.now(UTC)
        pool = await open_pool(self.database_url, size=1)
        try:
            async with transaction(pool) as connection:
                await upstream_objects.store(
                    connection,
                    [
                        UpstreamObject(each, "part", tenant.organization_id, None, "test", now, "")
                        for each in ids
                    ],
                )
        finally:
            await close_pool(pool)

    async def quiet(self) -> None:
        """Waits until no request runs any more and every record is in Postgres. Work that goes on may be held still."""
        redis = open_redis(self.redis_url)

        async def nothing_left() -> bool | None:
            soon = int(time() * 1000) + LONGEST_HOLD_MS
            left = [await redis.zcount(key, "-inf", soon) async for key in redis.scan_iter("*:holds")]
            waiting = [key async for key in redis.scan_iter("*:usage") if await redis.xlen(key)]
            return True if not sum(left) and not waiting else None

        try:
            await until(nothing_left, "holds and records to be gone")
        finally:
            await redis.aclose()

    async def books(self, **wanted: str) -> dict[str, Any]:
        """The simulator's own books."""
        async with httpx.AsyncClient(timeout=10) as client:
            answer = await client.get(f"{self.upstream_url}/simulator/books", params=wanted)
        report: dict[str, Any] = answer.json()
        return report


async def until(look: Callable[[], Awaitable[T | None]], what: str) -> T:
    """Looks again and again until there is something; fails after WAIT_SECONDS."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while (found := await look()) is None:
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited in vain for {what}") from None
    return found


async def prepare(database_url: str) -> None:
    """The schema, the price list and the exchange rates."""
    await migrate(database_url)
    folder = Path(config.__file__).parent / "prices"
    pool = await open_pool(database_url, size=1)
    try:
        async with transaction(pool) as connection:
            await price_rows.store(connection, load_price_list(folder / "openai.yaml"))
            await exchange.store(connection, exchange.ExchangeRates.load(folder / "exchange_rates.csv"))
            await _ensure_this_month(connection)
    finally:
        await close_pool(pool)


async def _ensure_this_month(connection: Connection) -> None:
    await usage_partitions.ensure_month(connection, datetime.now(UTC))


@contextmanager
def system(database_url: str, redis_url: str, **settings: str) -> Iterator[System]:
    """A system that is not started yet. What was started is ended at the end."""
    numbers = []
    sockets = [ports.reserve("127.0.0.1", 0, option="port") for _ in range(2)]
    for reserved in sockets:
        numbers.append(ports.number(reserved))
        reserved.close()
    proxy_port, upstream_port = numbers
    data_dir = Path(tempfile.mkdtemp(prefix="tk-data-"))
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream_port}/v1",
        "OPENAI_API_KEY": UPSTREAM_KEY,
        "TOLLKEEPER_DATA_DIR": str(data_dir),
        "TOLLKEEPER_PROXY_PORT": str(proxy_port),
        "TOLLKEEPER_KEY_SECRET": KEY_SECRET,
        "TOLLKEEPER_ADMIN_TOKEN": "the admin token of the tests",
        **settings,
    }
    made = System(database_url, redis_url, environ)
    made.proxy_url = f"http://127.0.0.1:{proxy_port}"
    made.upstream_url = f"http://127.0.0.1:{upstream_port}"
    try:
        yield made
    finally:
        try:
            made.stop()
        finally:
            shutil.rmtree(data_dir, ignore_errors=True)


@contextmanager
def beside(house: System, **settings: str) -> Iterator[System]:
    """Another proxy of the same data plane, on a port and with a disk of its own; not started yet."""
    with system(house.database_url, house.redis_url) as made:
        own = {name: made.environ[name] for name in ("TOLLKEEPER_PROXY_PORT", "TOLLKEEPER_DATA_DIR")}
        made.environ = {**house.environ, **own, **settings}
        yield made
