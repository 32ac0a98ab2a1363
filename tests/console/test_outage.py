"""Postgres goes away under a running console, and comes back."""

import asyncio
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.migrations import migrate
from runtime.child import Child
from runtime.engines.postgres import Postgres
from tests.console.running import Console, refused, serving


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server that this test may end."""
    with tempfile.TemporaryDirectory(prefix="tk-") as directory:
        path = Path(directory)
        path.chmod(0o711)
        server = Postgres(path)
        server.prepare()
        yield server
        server.release()


async def all_are_refused_as_unavailable(console: Console, key: str) -> None:
    bearer = {"authorization": f"Bearer {key}"}
    for answer in await asyncio.gather(
        console.admin.get("/api/admin/plans"),
        console.admin.post("/api/admin/plans", json={"name": "lost"}),
        console.admin.get("/api/admin/usage"),
        console.nobody.get("/api/me/organization", headers=bearer),
    ):
        refused(answer, 503)
    assert (await console.nobody.get("/readyz")).status_code == 503
    assert (await console.nobody.get("/healthz")).status_code == 200


async def test_a_killed_postgres_is_503_and_then_all_is_well_again(
    own_postgres: Postgres, redis_url: str
) -> None:
    child = Child(own_postgres.program())
    await asyncio.to_thread(child.wait_ready)
    try:
        await own_postgres.create_database("outage")
        url = own_postgres.url("outage")
        await migrate(url)
        async with serving(url, redis_url) as console:
            organization = await console.make("organizations", name="Atelier")
            key = (await console.key(organization))["key"]
            child.signal(signal.SIGKILL)
            await asyncio.to_thread(child.wait, 20)
            await all_are_refused_as_unavailable(console, key)
            child = Child(own_postgres.program())
            await asyncio.to_thread(child.wait_ready)
            bearer = {"authorization": f"Bearer {key}"}
            mine = await console.nobody.get("/api/me/organization", headers=bearer)
            assert mine.json() == organization
            assert (await console.admin.get("/api/admin/plans")).json()["data"] == []
    finally:
        await asyncio.to_thread(child.stop)
