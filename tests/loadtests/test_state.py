"""A full ledger beside an empty one, in small: what is filled in is there, and the product works on it."""

import asyncio
import shutil
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from loadtests.stand.load import Load, Target, Wish, without_errors
from loadtests.stand.product import product
from loadtests.stand.programs import compiled
from loadtests.stand.stores import stores
from loadtests.stand.upstream import upstream
from loadtests.state.fill import Size, fill

SIZE = Size(organizations=40, api_keys=200, usage=1200)


async def look(database_url: str) -> tuple[dict[str, int], int, datetime]:
    """Rows by table, months of usage, and its newest."""
    connection = await asyncpg.connect(database_url, timeout=10)
    try:
        counted = {
            name: await connection.fetchval(f"select count(*) from {name}")
            for name in ("organization", "api_key", "usage")
        }
        months = await connection.fetchval("select count(distinct tableoid) from usage")
        return counted, months, await connection.fetchval("select max(occurred_at) from usage")
    finally:
        await connection.close(timeout=10)


@pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="the clients are in C: a compiler is needed"
)
def test_a_year_of_use_is_filled_in_and_calls_go_on(tmp_path: Path) -> None:
    programs, few = compiled(tmp_path), Wish(clients=2, seconds=2.0, warm=0.0)
    load = Load(programs.load, tmp_path)
    with stores(durable=False) as servers, upstream(programs.upstream) as provider:
        with product(servers, provider.port) as running:
            tenant = running.tenant()
            calls = without_errors(load.run(tenant.target, few)).calls_in_all
            running.drained()
        asyncio.run(fill(servers.database_url, SIZE, tenant.organization_id, datetime.now(UTC)))
        counted, months, latest = asyncio.run(look(servers.database_url))
        assert counted["organization"] > SIZE.organizations
        assert counted["api_key"] > SIZE.api_keys
        assert counted["usage"] == SIZE.usage
        assert months == 12
        assert latest <= datetime.now(UTC)
        with product(servers, provider.port) as running:
            again = without_errors(load.run(Target(running.port, keys=[tenant.key]), few))
            running.drained()
        assert calls > 0 < again.calls_in_all
