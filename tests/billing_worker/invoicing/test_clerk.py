import asyncio
from decimal import Decimal

import pytest

from billing_worker.invoicing.customers import next_period
from ledger import invoices
from ledger.database import reading
from ledger.errors import ConflictError
from tests.billing_worker.invoicing.world import AFTER, NOVEMBER, OCTOBER, World, days, october

ACTOR = "test"


async def test_a_draft_is_worked_out_anew_each_time_and_stays_one(world: World) -> None:
    organization = await world.customer()
    payer = world.payer(organization)
    first = await world.draft(payer, OCTOBER)
    await world.use(organization, october(5), "2.50")
    second = await world.draft(payer, OCTOBER)
    assert first.id == second.id
    assert (first.net, second.net, second.total_requests) == (Decimal(10), Decimal("12.50"), 1)
    assert (second.status, second.number, second.gross) == ("draft", None, Decimal("15.00"))


async def test_an_issued_invoice_has_a_number_dates_and_files(world: World) -> None:
    organization = await world.customer()
    draft = await world.draft(world.payer(organization), OCTOBER)
    issued = await world.clerk.finalize(ACTOR, draft.id, AFTER)
    assert (issued.id, issued.status, issued.number) == (draft.id, "sent", "FA2026-000001")
    assert (str(issued.issued_on), str(issued.due_on)) == ("2026-11-03", "2026-12-03")
    async with reading(world.pool) as connection:
        sent = await invoices.sent(connection, issued.id)
    assert sent is not None
    assert sent.number == "FA2026-000001"
    assert sent.pdf.startswith(b"%PDF-")
    assert b"FA2026-000001" in sent.xml
    with pytest.raises(ConflictError, match="issued already"):
        await world.clerk.finalize(ACTOR, draft.id, AFTER)
    with pytest.raises(ConflictError, match="invoiced already"):
        await world.clerk.refresh(world.payer(organization), OCTOBER, AFTER)


async def test_usage_that_comes_late_is_on_the_next_invoice_under_its_dates(world: World) -> None:
    organization = await world.customer()
    payer = world.payer(organization)
    await world.use(organization, october(5), "1")
    await world.clerk.close(ACTOR, payer, OCTOBER, AFTER)
    await world.use(organization, october(20), "3", tokens=70)
    await world.use(organization, october(21), "4", tokens=80)
    await world.use(organization, NOVEMBER.start, "0.50")
    issued = await world.clerk.close(ACTOR, payer, NOVEMBER, AFTER + days(30))
    assert issued is not None
    assert (issued.net, issued.total_requests) == (Decimal("17.50"), 3)
    async with reading(world.pool) as connection:
        lines = (await invoices.document(connection, issued.id)).lines
    late = [line for line in lines if line.period.start < NOVEMBER.start]
    assert [(line.net, line.period.start, line.period.end) for line in late] == [
        (Decimal("7.00"), october(20, 0), october(22, 0))
    ]
    assert "150 jetons en 2 requêtes" in late[0].description


async def test_nothing_is_left_for_a_third_invoice(world: World) -> None:
    organization = await world.customer(monthly_price=Decimal(0))
    payer = world.payer(organization)
    await world.use(organization, october(5), "1")
    await world.clerk.close(ACTOR, payer, OCTOBER, AFTER)
    await world.use(organization, october(5), "1")
    second = await world.clerk.close(ACTOR, payer, NOVEMBER, AFTER + days(30))
    assert second is not None
    assert second.net == Decimal("1.00")
    async with reading(world.pool) as connection:
        december = await next_period(connection, world.clerk.rater, payer, AFTER + days(70))
    assert december is not None
    assert december.start == NOVEMBER.end
    assert await world.clerk.close(ACTOR, payer, december, AFTER + days(70)) is None


async def test_ten_clerks_at_once_make_one_invoice_of_each_payer(world: World) -> None:
    payers = [world.payer(await world.customer(f"Atelier {n}")) for n in range(3)]
    jobs = [world.clerk.close(ACTOR, payer, OCTOBER, AFTER) for _ in range(4) for payer in payers]
    done = await asyncio.gather(*jobs, return_exceptions=True)
    made = [each for each in done if isinstance(each, invoices.InvoiceRecord)]
    assert sorted(each.number or "" for each in made) == [f"FA2026-00000{n}" for n in (1, 2, 3)]
    assert all(isinstance(each, ConflictError | invoices.InvoiceRecord) or each is None for each in done), (
        done
    )
