import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from billing_worker.invoicing.clerk import INCOMPLETE
from billing_worker.invoicing.rounds import RoundError, check_all, close_due, refresh_all, tell_overdue
from ledger import alerts, invoices, notifications
from ledger.database import close_pool, open_pool, reading
from ledger.invoices import Filter, InvoiceRecord
from ledger.pages import Slice
from tests.billing_worker.invoicing.world import AFTER, NOVEMBER, OCTOBER, World, days, october


async def issued(world: World) -> list[InvoiceRecord]:
    """By their numbers."""
    async with reading(world.pool) as connection:
        rows = await invoices.listing(connection, Filter(issued=True), Slice())
    return sorted(rows, key=lambda row: row.number or "")


async def alarms(world: World) -> set[tuple[str, str]]:
    """But for addresses that nobody gave."""
    async with reading(world.pool) as connection:
        found = {(each.kind, each.object) for each in await alerts.listing(connection, ended=False)}
    return {each for each in found if each[0] != INCOMPLETE}


async def test_ten_workers_at_once_issue_what_one_would(world: World, database_url: str) -> None:
    customers = [await world.customer(f"Atelier {n}") for n in range(6)]
    for number, customer in enumerate(customers):
        await world.use(customer, october(3), "1", count=number + 1)
    pools = [await open_pool(database_url, size=2) for _ in range(10)]
    clerks = [replace(world.clerk, pool=pool) for pool in pools]
    done = await asyncio.gather(*(close_due(clerk, AFTER) for clerk in clerks), return_exceptions=True)
    for pool in pools:
        await close_pool(pool)
    assert all(isinstance(each, dict | RoundError) for each in done), done
    await close_due(world.clerk, AFTER)
    rows = await issued(world)
    assert [row.number for row in rows] == [f"FA2026-{n:06d}" for n in range(1, 7)]
    assert sorted(row.net for row in rows) == [Decimal(10 + n) for n in range(1, 7)]
    assert await alarms(world) == set()


async def test_a_period_is_closed_when_the_grace_of_the_seller_is_over_and_once(world: World) -> None:
    await world.customer()
    assert await close_due(world.clerk, OCTOBER.end + days(1) - days(1) / 86_400) == {
        "issued": 0,
        "nothing_to_pay": 0,
    }
    assert await close_due(world.clerk, OCTOBER.end + days(1)) == {"issued": 1, "nothing_to_pay": 0}
    assert await close_due(world.clerk, OCTOBER.end + days(1)) == {"issued": 0, "nothing_to_pay": 0}


async def test_what_was_missed_is_closed_in_order(world: World) -> None:
    await world.customer()
    assert await close_due(world.clerk, AFTER + days(65)) == {"issued": 3, "nothing_to_pay": 0}
    assert [row.period_start.month for row in await issued(world)] == [10, 11, 12]


async def test_where_nothing_is_owed_no_invoice_is_issued_and_no_number_taken(world: World) -> None:
    free = await world.customer("Free", monthly_price=Decimal(0))
    await world.use(free, october(3), "0")
    assert await close_due(world.clerk, AFTER) == {"issued": 0, "nothing_to_pay": 1}
    assert await close_due(world.clerk, AFTER) == {"issued": 0, "nothing_to_pay": 0}
    await world.customer("Paying")
    await close_due(world.clerk, AFTER)
    assert [row.number for row in await issued(world)] == ["FA2026-000001"]


async def test_one_that_can_not_be_billed_keeps_none_of_the_others(world: World) -> None:
    lost = await world.customer("Lost", currency="USD")
    await world.customer("Paying")
    async with reading(world.pool) as connection:
        await connection.execute("delete from exchange_rate")
    with pytest.raises(RoundError, match="1 of 2 payers failed"):
        await close_due(world.clerk, AFTER)
    assert len(await issued(world)) == 1
    assert await alarms(world) == {("invoice_failed", lost.id)}
    await world.open()
    await close_due(world.clerk, AFTER)
    assert [row.currency for row in await issued(world)] == ["EUR", "USD"]
    assert await alarms(world) == set()


async def test_drafts_follow_usage_and_end_with_the_invoice(world: World) -> None:
    customer = await world.customer()
    await world.use(customer, NOVEMBER.start + days(1), "3")
    assert await refresh_all(world.clerk, NOVEMBER.start + days(2)) == {"drafts": 2}
    await close_due(world.clerk, NOVEMBER.start + days(2))
    assert await refresh_all(world.clerk, NOVEMBER.start + days(2)) == {"drafts": 1}
    async with reading(world.pool) as connection:
        [draft] = await invoices.listing(connection, Filter(status="draft"), Slice())
    assert (draft.period_start, draft.net) == (NOVEMBER.start, Decimal("13.00"))


async def test_an_unpaid_invoice_becomes_overdue_once_and_its_payer_is_told(world: World) -> None:
    customer = await world.customer()
    invoice = await world.closed(world.payer(customer), OCTOBER)
    assert await tell_overdue(world.clerk, AFTER + days(30)) == {"overdue": 0}
    assert await tell_overdue(world.clerk, AFTER + days(31)) == {"overdue": 1}
    assert await tell_overdue(world.clerk, AFTER + days(32)) == {"overdue": 0}
    assert await alarms(world) == {("invoice_overdue", invoice.id)}
    async with reading(world.pool) as connection:
        told = await notifications.listing(connection, Slice(), organization_id=customer.id)
    assert {each.kind for each in told} == {"invoice_issued", "invoice_overdue"}
    [sent] = [each for each in told if each.kind == "invoice_issued"]
    assert sent.attachments == (f"{invoice.number}.pdf",)


async def test_the_check_finds_usage_that_no_invoice_will_bill(world: World) -> None:
    customer = await world.customer()
    await world.use(customer, october(3), "1")
    await close_due(world.clerk, AFTER)
    assert await check_all(world.clerk, AFTER) == {
        "requests_billed": 1,
        "requests_late": 0,
        "organizations_wrong": 0,
    }
    await world.use(customer, october(4), "1", count=2)
    assert (await check_all(world.clerk, AFTER))["requests_late"] == 2
    assert await alarms(world) == set()
    async with reading(world.pool) as connection:
        await connection.execute("update subscription set ends_at = $1", october(20))
    assert (await check_all(world.clerk, AFTER + days(300)))["organizations_wrong"] == 0
    await close_due(world.clerk, AFTER + days(300))
    await world.use(customer, october(5), "1")
    assert (await check_all(world.clerk, AFTER + days(300)))["organizations_wrong"] == 1
    assert await alarms(world) == {("usage_unbilled", customer.id)}


async def test_who_is_billed_without_an_address_is_pointed_out_until_it_has_one(world: World) -> None:
    customer = await world.customer()
    await world.closed(world.payer(customer), OCTOBER)
    async with reading(world.pool) as connection:
        [alert] = await alerts.listing(connection, ended=False)
    assert (alert.kind, alert.object) == (INCOMPLETE, customer.id)
    address = {"lines": ["2 rue du Pont"], "postal_code": "69001", "city": "Lyon", "country": "FR"}
    await world.profile(customer, address=address, siren="732829320")
    await world.closed(world.payer(customer), NOVEMBER, AFTER + days(30))
    async with reading(world.pool) as connection:
        assert await alerts.listing(connection, ended=False) == []
