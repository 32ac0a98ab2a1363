"""Whoever closes may be killed after any statement: whoever comes next leaves the same as if nothing had happened."""

import pytest

from billing_worker.invoicing.clerk import Clerk
from ledger import closings
from ledger.database import DatabaseUnavailable, reading
from tests.billing_worker.invoicing.cutting import Fuse, Killed, cutting_pool
from tests.billing_worker.invoicing.world import AFTER, OCTOBER, World, october


async def close_with(world: World, database_url: str, fuse: Fuse) -> None:
    organization = await world.customer(f"Atelier {fuse.left}")
    for day in (2, 9):
        await world.use(organization, october(day), "1.10", count=3)
    pool = await cutting_pool(database_url, fuse)
    try:
        await Clerk(pool, world.clerk.rater, world.clerk.press).close(
            "test", world.payer(organization), OCTOBER, AFTER
        )
    finally:
        pool.terminate()


async def test_killed_after_any_statement_closing_leaves_no_gap_no_double_and_no_loss(
    world: World, database_url: str
) -> None:
    whole = Fuse(None)
    await close_with(world, database_url, whole)
    assert whole.passed > 30
    for left in range(1, whole.passed + 1):
        fuse = Fuse(left)
        with pytest.raises((Killed, DatabaseUnavailable)):
            await close_with(world, database_url, fuse)
        async with reading(world.pool) as connection:
            organization_id = await connection.fetchval(
                "select id from organization order by no desc limit 1"
            )
            open_ = await closings.gaps(connection, organization_id, "EUR", OCTOBER)
        if open_:
            again = await world.clerk.close("test", world.account(organization_id), OCTOBER, AFTER)
            assert again is not None
    async with reading(world.pool) as connection:
        rows = await connection.fetch(
            "select payer_id, number, net, total_requests from invoice order by number"
        )
        billed = await connection.fetchval("select sum(requests) from invoice_usage")
        used = await connection.fetchval("select count(*) from usage")
    assert [row["number"] for row in rows] == [f"FA2026-{n:06d}" for n in range(1, whole.passed + 2)]
    assert len({row["payer_id"] for row in rows}) == len(rows)
    assert {(str(row["net"]), row["total_requests"]) for row in rows} == {("16.60", 6)}
    assert billed == used
