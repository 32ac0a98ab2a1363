"""One payer for several organizations; several currencies; what changes within time that is billed."""

from datetime import UTC, datetime
from decimal import Decimal

from billing_worker.invoicing.rounds import close_due
from ledger import adjustments, invoices, plans, subscriptions
from ledger.database import reading, transaction
from ledger.invoice import Invoice
from ledger.invoices import Filter, InvoiceRecord
from ledger.organizations import Organization
from ledger.pages import Slice
from ledger.periods import Period
from ledger.plans import PlanTerms
from tests.billing_worker.invoicing.world import AFTER, NOVEMBER, OCTOBER, World, days, october

PARIS_OCTOBER = Period(datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC))


async def document(world: World, record: InvoiceRecord) -> Invoice:
    async with reading(world.pool) as connection:
        return await invoices.document(connection, record.id)


async def of(world: World, organization: Organization) -> list[InvoiceRecord]:
    """Issued, by their numbers."""
    async with reading(world.pool) as connection:
        rows = await invoices.listing(connection, Filter(organization.id, issued=True), Slice())
    return sorted(rows, key=lambda row: row.number or "")


async def test_a_payer_has_one_invoice_of_all_each_by_its_own_calendar(world: World) -> None:
    head = await world.customer("Holding", zone="Europe/Paris", since=PARIS_OCTOBER.start)
    one = await world.customer("One", monthly_price=Decimal(20))
    midnight = datetime(2026, 10, 1, 4, tzinfo=UTC)
    other = await world.customer("Other", monthly_price=Decimal(40), zone="America/New_York", since=midnight)
    await world.profile(one, payer_id=head.id)
    await world.profile(other, payer_id=head.id)
    await world.use(one, datetime(2026, 10, 31, 23, 30, tzinfo=UTC), "1")  # November in Paris, October in UTC
    await world.use(other, datetime(2026, 11, 1, 3, 30, tzinfo=UTC), "2")  # still October in New York
    await world.use(other, datetime(2026, 11, 1, 5, 30, tzinfo=UTC), "4")
    assert await close_due(world.clerk, AFTER) == {"issued": 1, "nothing_to_pay": 0}
    [issued] = await of(world, head)
    lines = (await document(world, issued)).lines
    nets = {(line.organization_id, line.kind): Decimal(0) for line in lines}
    for line in lines:
        nets[line.organization_id, line.kind] += line.net
    assert nets == {
        (head.id, "subscription"): Decimal("10.00"),
        (one.id, "subscription"): Decimal("20.00"),
        (one.id, "usage"): Decimal("1.00"),
        (other.id, "subscription"): Decimal("40.00"),
        (other.id, "usage"): Decimal("2.00"),
    }
    assert {line.organization_name for line in lines} == {"Holding", "One", "Other"}
    assert await of(world, one) == await of(world, other) == []


async def test_an_organization_that_goes_over_to_a_payer_is_billed_without_gap_or_double(
    world: World,
) -> None:
    head = await world.customer("Holding")
    member = await world.customer("Member", monthly_price=Decimal(20))
    await close_due(world.clerk, AFTER)
    await world.profile(member, payer_id=head.id)
    await close_due(world.clerk, AFTER + days(30))
    assert [row.net for row in await of(world, head)] == [Decimal("10.00"), Decimal("30.00")]
    assert [row.net for row in await of(world, member)] == [Decimal("20.00")]


async def test_a_plan_in_another_currency_has_invoices_of_its_own(world: World) -> None:
    customer = await world.customer()
    async with transaction(world.pool) as connection:
        plan = await plans.create(
            connection, "test", PlanTerms(name="dollars", currency="USD", monthly_price=Decimal(30))
        )
        await subscriptions.replace(
            connection, "test", customer.id, plan.id, now=october(16, 0), start=october(16, 0)
        )
    await close_due(world.clerk, AFTER)
    euros, dollars = await of(world, customer)
    # 15 of 31 days of 10 euros, 16 of 31 of 30 dollars
    assert (euros.currency, euros.net) == ("EUR", Decimal("4.84"))
    assert (dollars.currency, dollars.net, dollars.total_amount_eur) == (
        "USD",
        Decimal("15.48"),
        Decimal("16.89"),
    )
    stated = (await document(world, dollars)).vat_in_euros
    assert stated is not None
    assert (dollars.vat_total, stated.amount) == (Decimal("3.10"), Decimal("2.82"))


async def test_a_plan_that_changes_after_an_early_invoice_is_made_up_for_on_the_next(world: World) -> None:
    customer = await world.customer(monthly_price=Decimal(31))
    payer = world.payer(customer)
    early = await world.closed(payer, OCTOBER, october(10))
    assert early.net == Decimal("31.00")
    async with transaction(world.pool) as connection:
        plan = await plans.create(connection, "test", PlanTerms(name="larger", monthly_price=Decimal(62)))
        await subscriptions.replace(
            connection, "test", customer.id, plan.id, now=october(22, 0), start=october(22, 0)
        )
    await world.use(customer, october(25), "5")
    november = await world.closed(payer, NOVEMBER, AFTER + days(30))
    # 62 for November; of October 21 days of 31 and 10 of 62 make 41, of which 31 were billed; and 5 used.
    assert november.net == Decimal("77.00")
    december = Period(NOVEMBER.end, datetime(2027, 1, 1, tzinfo=UTC))
    assert (await world.closed(payer, december, AFTER + days(61))).net == Decimal("62.00")


async def test_a_quota_that_late_usage_fills_is_counted_as_if_all_had_been_known(world: World) -> None:
    customer = await world.customer(monthly_price=Decimal(10), monthly_quota=250, overage="bill")
    payer = world.payer(customer)
    await world.use(customer, october(20), "1", tokens=100, count=2)
    first = await world.closed(payer, OCTOBER)
    assert first.net == Decimal("10.00")
    await world.use(customer, october(2), "1", tokens=100)
    second = await world.closed(payer, NOVEMBER, AFTER + days(30))
    # 300 tokens against 250: 50 of the last record's 100 tokens are charged, half of 1.
    assert second.net == Decimal("10.50")


async def test_less_than_nothing_is_taken_off_the_first_invoice_that_has_room_for_it(world: World) -> None:
    customer = await world.customer()
    payer = world.payer(customer)
    async with transaction(world.pool) as connection:
        await adjustments.create(
            connection,
            "test",
            customer.id,
            amount=Decimal(-50),
            currency="EUR",
            reason="goodwill",
            at=october(10),
        )
    await world.use(customer, october(5), "3")
    assert await world.clerk.close("test", payer, OCTOBER, AFTER) is None
    assert await world.clerk.close("test", payer, NOVEMBER, AFTER + days(30)) is None
    december = Period(NOVEMBER.end, datetime(2027, 1, 1, tzinfo=UTC))
    await world.use(customer, NOVEMBER.end + days(3), "100")
    issued = await world.closed(payer, december, AFTER + days(61))
    # three months of 10, 3 and 100 used, less 50
    assert issued.net == Decimal("83.00")
    january = Period(december.end, datetime(2027, 2, 1, tzinfo=UTC))
    assert (await world.closed(payer, january, AFTER + days(92))).net == Decimal("10.00")
