"""What the database itself promises of invoices, whoever writes to it."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from ledger.database import Connection, Pool, transaction
from ledger.ids import new_id
from ledger.invoice import Address, Invoice, InvoiceLine, Party, VatShare
from ledger.invoice_totals import totals
from ledger.invoice_writing import Draft, issue, save_draft, take_number
from ledger.organizations import Organization
from ledger.periods import Period

OCTOBER = Period(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
TODAY = date(2026, 11, 3)
NOW = datetime(2026, 11, 3, tzinfo=UTC)
PARTY = Party(name="Péage", address=Address(lines=(), postal_code="", city="", country="FR"))
LINE = InvoiceLine(
    kind="subscription",
    description="Team",
    quantity=Decimal(1),
    unit="C62",
    unit_price=Decimal(100),
    base_quantity=Decimal(1),
    net=Decimal("100.00"),
    vat_category="S",
    vat_rate=Decimal(20),
    period=OCTOBER,
    organization_id="",
)


def invoice(organization: Organization, period: Period = OCTOBER, **changes: Any) -> Invoice:
    line = replace(LINE, organization_id=organization.id)
    sums = totals([line])
    made = Invoice(
        id=new_id("inv"),
        kind="invoice",
        status="draft",
        number=None,
        language="fr",
        currency="EUR",
        period=period,
        issued_on=None,
        due_on=None,
        seller=PARTY,
        buyer=PARTY,
        lines=(line,),
        vat=sums.vat,
        net=sums.net,
        vat_total=sums.vat_total,
        gross=sums.gross,
        paid=Decimal(0),
        mentions=(),
        payment_terms="",
        time_zone="UTC",
    )
    return replace(made, **changes)


async def save(connection: Connection, made: Invoice, organization: Organization) -> Invoice:
    await save_draft(connection, Draft(made, organization.id, 1, NOW))
    return made


async def issued(connection: Connection, made: Invoice, organization: Organization) -> str:
    async with connection.transaction():
        await save(connection, made, organization)
        number = await take_number(connection, "FA", TODAY)
        dated = replace(made, issued_on=number.day, due_on=number.day)
        await issue(connection, dated, number, pdf=b"pdf", xml=b"xml", gross_eur=made.gross, at=NOW)
    return number.text


CONTENT = [
    "update invoice set net = net + 1, gross = gross + 1",
    "update invoice set buyer = '{}'",
    "update invoice set number = 'FA2026-000009'",
    "update invoice set issued_on = issued_on - 1",
    "update invoice set period_end = period_end + interval '1 day'",
    "update invoice set status = 'draft'",
    "update invoice set credited = -1",
    "delete from invoice",
    "update invoice_line set net = net + 1",
    "delete from invoice_line",
    "insert into invoice_line select invoice_id, place + 1, kind, description, quantity, unit, unit_price,"
    " base_quantity, net, vat_category, vat_rate, starts_at, ends_at, organization_id from invoice_line",
    "update invoice_vat set amount = amount + 1",
    "delete from invoice_vat",
    "update invoice_document set pdf = 'x', pdf_sha256 = sha256('x')",
    "delete from invoice_document",
    "update invoice_series set last_number = last_number + 5",
    "update invoice_series set last_day = last_day - 1, last_number = last_number + 1",
    "update invoice_series set last_number = last_number + 1",
    "delete from invoice_series",
    "truncate invoice cascade",
    "truncate invoice_document",
]


@pytest.mark.parametrize("statement", CONTENT)
async def test_what_is_issued_can_not_be_changed_by_anyone(
    connection: Connection, organization: Organization, statement: str
) -> None:
    await issued(connection, invoice(organization), organization)
    for role in ("origin", "replica"):
        await connection.execute(f"set session_replication_role = {role}")
        with pytest.raises((asyncpg.RestrictViolationError, asyncpg.CheckViolationError)):
            await connection.execute(statement)


async def test_a_draft_may_be_changed_and_deleted(connection: Connection, organization: Organization) -> None:
    made = await save(connection, invoice(organization), organization)
    await save(connection, replace(made, language="en"), organization)
    await connection.execute("delete from invoice")
    assert await connection.fetchval("select count(*) from invoice_line") == 0


async def test_no_two_invoices_of_a_payer_share_time(
    connection: Connection, organization: Organization
) -> None:
    await save(connection, invoice(organization), organization)
    middle = Period(datetime(2026, 10, 31, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC))
    with pytest.raises(asyncpg.ExclusionViolationError):
        await save(connection, invoice(organization, middle), organization)
    await save(connection, invoice(organization, middle, currency="USD"), organization)
    after = Period(OCTOBER.end, datetime(2026, 12, 1, tzinfo=UTC))
    await save(connection, invoice(organization, after), organization)


WRONG = [
    {"vat_total": Decimal("20.01"), "gross": Decimal("120.01")},
    {"net": Decimal("99.99"), "gross": Decimal("119.99")},
    {"vat": (VatShare(category="S", rate=Decimal(20), base=Decimal(99), amount=Decimal(20)),)},
    {"vat": (VatShare(category="S", rate=Decimal(10), base=Decimal(100), amount=Decimal(20)),)},
    {"lines": ()},
]


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_does_not_add_up_is_not_issued_and_takes_no_number(
    connection: Connection, organization: Organization, wrong: dict[str, Any]
) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await issued(connection, invoice(organization, **wrong), organization)
    assert await issued(connection, invoice(organization), organization) == "FA2026-000001"


async def test_numbers_have_no_gaps_whatever_is_rolled_back_at_once(
    pool: Pool, organization: Organization
) -> None:
    async def attempt(month: int) -> str | None:
        period = Period(datetime(2025, month, 1, tzinfo=UTC), datetime(2025, month, 28, tzinfo=UTC))
        with suppress(LookupError):
            async with transaction(pool, acquire_seconds=60) as connection:
                number = await issued(connection, invoice(organization, period), organization)
                if month % 3 == 0:
                    raise LookupError
                return number
        return None

    found = await asyncio.gather(*(attempt(month) for month in range(1, 13)))
    kept = sorted(number for number in found if number)
    assert kept == [f"FA2026-{n:06d}" for n in range(1, 9)]


async def test_a_number_is_never_dated_before_the_one_before_it(
    connection: Connection, organization: Organization
) -> None:
    await issued(connection, invoice(organization), organization)
    tx = connection.transaction()
    await tx.start()
    number = await take_number(connection, "FA", date(2026, 11, 1))
    assert (number.text, number.day) == ("FA2026-000002", TODAY)
    await tx.rollback()
    tx = connection.transaction()
    await tx.start()
    assert (await take_number(connection, "FA", date(2027, 1, 2))).text == "FA2027-000001"
    await tx.rollback()
