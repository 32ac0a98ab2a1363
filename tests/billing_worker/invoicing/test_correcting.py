from decimal import Decimal

import pytest

from billing_worker.invoicing import correcting
from billing_worker.invoicing.credit_lines import LineCredit, of_amount, of_lines
from ledger import closings, invoices, receivables
from ledger.database import reading, transaction
from ledger.errors import ConflictError, LedgerError
from ledger.invoices import InvoiceRecord
from tests.billing_worker.invoicing.world import AFTER, NOVEMBER, OCTOBER, World, days, october

ACTOR = "test"


@pytest.fixture
async def issued(world: World) -> InvoiceRecord:
    """10.00 for the plan and 2.35 for usage, at 20 %."""
    organization = await world.customer()
    await world.use(organization, october(5), "2.35")
    return await world.closed(world.payer(organization), OCTOBER)


async def give_back(world: World, invoice: InvoiceRecord, net: str) -> InvoiceRecord:
    async with transaction(world.pool) as connection:
        return await correcting.credit(
            connection,
            world.clerk.press,
            ACTOR,
            invoice.id,
            lambda document, _: of_amount(document, Decimal(net), None),
            "goodwill",
            AFTER,
        )


async def cancel(world: World, invoice: InvoiceRecord) -> InvoiceRecord:
    async with transaction(world.pool) as connection:
        return await correcting.cancel(connection, world.clerk.press, ACTOR, invoice.id, "wrong", AFTER)


async def read(world: World, invoice: InvoiceRecord) -> InvoiceRecord:
    async with reading(world.pool) as connection:
        return await invoices.get(connection, invoice.id)


async def test_a_part_is_given_back_by_a_credit_note_in_a_series_of_its_own(
    world: World, issued: InvoiceRecord
) -> None:
    note = await give_back(world, issued, "4.00")
    assert (note.kind, note.number, note.net, note.gross) == (
        "credit_note",
        "AV2026-000001",
        Decimal("4.00"),
        Decimal("4.80"),
    )
    changed = await read(world, issued)
    assert (changed.status, changed.credited, changed.due) == ("sent", Decimal("4.80"), Decimal("10.02"))
    async with reading(world.pool) as connection:
        document = await invoices.document(connection, note.id)
    assert document.preceding is not None
    assert document.preceding.number == issued.number


async def test_credit_notes_never_come_to_more_than_the_invoice(world: World, issued: InvoiceRecord) -> None:
    await give_back(world, issued, "12.00")
    with pytest.raises(ConflictError, match=r"0\.35 EUR at 20\.00 % are left"):
        await give_back(world, issued, "0.36")
    with pytest.raises(LedgerError, match="rates"):
        async with transaction(world.pool) as connection:
            await correcting.credit(
                connection,
                world.clerk.press,
                ACTOR,
                issued.id,
                lambda document, _: of_amount(document, Decimal(1), Decimal("5.5")),
                "goodwill",
                AFTER,
            )


async def test_many_small_credits_come_to_the_vat_of_the_invoice(world: World, issued: InvoiceRecord) -> None:
    for _ in range(8):
        await give_back(world, issued, "0.13")
    cancelled = await cancel(world, issued)
    assert (cancelled.status, cancelled.credited) == ("cancelled", issued.gross)
    async with reading(world.pool) as connection:
        notes = await invoices.credit_notes(connection, issued.id)
    assert sum(note.net for note in notes) == issued.net
    assert sum(note.vat_total for note in notes) == issued.vat_total


async def test_lines_are_given_back_whole_or_in_part(world: World, issued: InvoiceRecord) -> None:
    async with transaction(world.pool) as connection:
        note = await correcting.credit(
            connection,
            world.clerk.press,
            ACTOR,
            issued.id,
            lambda document, _: of_lines(document, [LineCredit(2), LineCredit(1, Decimal("1.00"))]),
            "goodwill",
            AFTER,
        )
    assert note.net == Decimal("3.35")


async def test_a_cancelled_period_is_billed_again_when_it_is_asked_for_and_not_before(
    world: World, issued: InvoiceRecord
) -> None:
    payer = world.account(issued.organization_id)
    await cancel(world, issued)
    november = await world.closed(payer, NOVEMBER, AFTER + days(30))
    assert november.net == Decimal("10.00")
    again = await world.draft(payer, OCTOBER, AFTER + days(31))
    made = await world.clerk.finalize(ACTOR, again.id, AFTER + days(31))
    assert (made.net, made.total_requests, made.number) == (Decimal("12.35"), 1, "FA2026-000003")
    async with reading(world.pool) as connection:
        assert await closings.gaps(connection, issued.organization_id, "EUR", OCTOBER) == []
        billed = await connection.fetchval(
            "select sum(requests) from invoice_usage join closing on id = closing_id where replaced_by is null"
        )
    assert billed == 1


async def test_cancelling_twice_or_crediting_a_draft_is_refused(world: World, issued: InvoiceRecord) -> None:
    await cancel(world, issued)
    with pytest.raises(ConflictError, match="cancelled can not be credited"):
        await cancel(world, issued)
    draft = await world.draft(world.account(issued.organization_id), NOVEMBER)
    with pytest.raises(ConflictError, match="draft can not be credited"):
        await give_back(world, draft, "1.00")
    assert (await cancel(world, draft)).status == "cancelled"


async def test_a_payment_is_booked_once_for_each_reference(world: World, issued: InvoiceRecord) -> None:
    async def pay(amount: str, reference: str) -> InvoiceRecord:
        async with transaction(world.pool) as connection:
            return await receivables.pay(
                connection,
                ACTOR,
                issued.id,
                amount=Decimal(amount),
                paid_on=AFTER.date(),
                reference=reference,
                now=AFTER,
            )

    for _ in range(2):
        assert (await pay("4.82", "transfer 1")).due == Decimal("10.00")
    with pytest.raises(ConflictError, match="another payment"):
        await pay("4.83", "transfer 1")
    with pytest.raises(LedgerError, match=r"more than the 10\.00 EUR"):
        await pay("10.01", "transfer 2")
    paid = await pay("10.00", "transfer 2")
    assert (paid.status, paid.paid_at) == ("paid", AFTER)
    with pytest.raises(ConflictError, match="nothing can be paid"):
        await pay("1.00", "transfer 3")
    assert (await cancel(world, issued)).due == -issued.gross
