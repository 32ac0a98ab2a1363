"""Real servers for all tests: one Postgres and one Valkey a session, a fresh database for each test."""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
import redis
from hypothesis import HealthCheck, settings

from ledger.migrations import migrate
from runtime.child import Child
from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from tests.issuing import Provider
from tests.keycloak import Keycloak, keycloak
from tests.real_keycloak import RealKeycloak, real_keycloak
from tests.valkey_cluster import ValkeyCluster

# How long an example takes says nothing on a machine that does other things, too.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

database_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def short_dir() -> Iterator[Path]:
    """A directory whose path is short enough for sockets, open to the engines' own user."""
    path = Path(tempfile.mkdtemp(prefix="tk-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(short_dir: Path) -> Iterator[Postgres]:
    server = Postgres(short_dir)
    server.prepare()
    child = Child(server.program())
    child.wait_ready()
    yield server
    child.stop()
    server.release()


@pytest.fixture(scope="session")
def valkey(short_dir: Path) -> Iterator[Valkey]:
    server = Valkey(short_dir)
    server.prepare()
    program = server.program()
    # Each module that runs a data plane takes a database of its own.
    child = Child(replace(program, argv=[*program.argv, "--databases", "64"]))
    child.wait_ready()
    yield server
    child.stop()
    server.release()


@pytest.fixture(scope="session")
def valkey_cluster(short_dir: Path) -> Iterator[ValkeyCluster]:
    """Three primaries."""
    made = ValkeyCluster(short_dir / "cluster")
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    """The session's server; its database `postgres` is for making others only."""
    return postgres.url("postgres")


@pytest.fixture(scope="session")
def valkey_url(valkey: Valkey) -> str:
    return valkey.url()


@pytest.fixture(scope="session")
def provider() -> Iterator[Keycloak]:
    """The local issuer of access tokens."""
    with keycloak() as running:
        yield running


@pytest.fixture(scope="session")
def real_provider() -> Iterator[RealKeycloak]:
    with real_keycloak(os.environ) as running:
        yield running


@pytest.fixture(scope="module", params=["local", pytest.param("real", marks=pytest.mark.keycloak)])
def issuing(request: pytest.FixtureRequest) -> Provider:
    """Each in turn: what a test promises of one, it promises of the other."""
    made: Provider = request.getfixturevalue("provider" if request.param == "local" else "real_provider")
    return made


@pytest.fixture
async def empty_database_url(postgres: Postgres) -> AsyncIterator[str]:
    """An empty database of the test's own."""
    name = f"test_{next(database_numbers)}"
    await postgres.create_database(name)
    yield postgres.url(name)
    await drop_database(postgres, name)


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """A database with the whole schema, of which others are copies: migrating each takes longer."""
    name = "migrated"
    asyncio.run(postgres.create_database(name))
    asyncio.run(migrate(postgres.url(name)))
    return name


@pytest.fixture
async def database_url(postgres: Postgres, migrated: str) -> AsyncIterator[str]:
    """A database of the test's own, with the whole schema."""
    name = f"test_{next(database_numbers)}"
    await on_server(postgres, f'CREATE DATABASE "{name}" TEMPLATE "{migrated}"')
    yield postgres.url(name)
    await drop_database(postgres, name)


@pytest.fixture
def redis_url(valkey: Valkey) -> str:
    """The session's Valkey, emptied."""
    with redis.Redis.from_url(valkey.url()) as client:
        client.flushdb()
        client.script_flush()
    return valkey.url()


async def drop_database(postgres: Postgres, name: str) -> None:
    await on_server(postgres, f'DROP DATABASE "{name}" WITH (FORCE)')


async def on_server(postgres: Postgres, statement: str) -> None:
    async with asyncio.timeout(30):
        connection = await asyncpg.connect(postgres.url("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
