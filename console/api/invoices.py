"""Invoices: made, issued, corrected, paid."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from billing_worker.invoicing import correcting, credit_lines
from billing_worker.invoicing.correcting import Lines
from billing_worker.invoicing.credit_lines import LineCredit
from billing_worker.invoicing.drafting import account, period_for
from console.call import Call, Input, Nothing, Operation
from console.file import File
from console.inputs import Id, Moment
from console.invoice_answers import InvoiceRead, PdfQuery, file, read, with_appendix
from console.paging import Page, PageQuery, page_of, slice_of
from ledger import invoices, receivables
from ledger.database import reading, transaction
from ledger.errors import LedgerError
from ledger.invoice import Invoice, InvoiceKind, InvoiceLine, InvoiceStatus, VatShare
from ledger.invoices import Filter, InvoiceRecord
from ledger.parties import Sentence
from ledger.records import Name

Money = Annotated[Decimal, Field(gt=0, le=10**12, decimal_places=2)]


class NewInvoice(Input):
    """Without a period it is the present one, on the organization's calendar."""

    organization_id: Id
    period_start: Moment | None = None
    period_end: Moment | None = None
    currency: Literal["EUR", "USD"] | None = Field(None, description="absent: that of the present plan")


class InvoicesQuery(PageQuery):
    status: InvoiceStatus | None = None
    kind: InvoiceKind | None = None
    organization: Id | None = Field(None, description="who pays")


class Reason(Input):
    """A body may be left out."""

    reason: Sentence = "cancelled"


class CreditedLine(Input):
    """`line` counts from 1; without `net` all of it is given back."""

    line: int = Field(ge=1, strict=True)
    net: Money | None = None


class NewCredit(Input):
    """Either some `lines`, or an `amount` without VAT; `vat_rate` where the invoice has several."""

    reason: Sentence
    amount: Money | None = None
    vat_rate: Decimal | None = None
    lines: tuple[CreditedLine, ...] | None = Field(None, min_length=1, max_length=1000)

    def chosen(self) -> Lines:
        """Raises LedgerError unless it is one of the two."""
        if (self.amount is None) == (self.lines is None):
            raise LedgerError("name either an amount or lines", "amount")
        wanted = [LineCredit(each.line, each.net) for each in self.lines or ()]

        def lines(invoice: Invoice, _: Sequence[VatShare]) -> tuple[InvoiceLine, ...]:
            if self.amount is None:
                return credit_lines.of_lines(invoice, wanted)
            return credit_lines.of_amount(invoice, self.amount, self.vat_rate)

        return lines


class NewPayment(Input):
    amount: Money
    date: date
    reference: Name


async def create(call: Call[NewInvoice, Nothing]) -> InvoiceRead:
    body, clerk = call.body, call.services.clerk
    async with reading(call.services.pool) as connection:
        payer = await account(connection, body.organization_id, body.currency, call.now)
        period = await period_for(
            connection, clerk.rater, payer, call.now, start=body.period_start, end=body.period_end
        )
    made = await clerk.refresh(payer, period, call.now)
    assert made is not None
    return await _read(call, made.id)


async def listing(call: Call[Nothing, InvoicesQuery]) -> Page[InvoiceRecord]:
    query = call.query
    wanted = Filter(query.organization, query.status, query.kind)
    async with reading(call.services.pool) as connection:
        rows = await invoices.listing(connection, wanted, slice_of(query))
    return page_of(Page[InvoiceRecord], rows, query, lambda row: (row.created_at, row.id))


async def get(call: Call[Nothing, Nothing]) -> InvoiceRead:
    return await _read(call, call.ids["id"])


async def pdf(call: Call[Nothing, PdfQuery]) -> File:
    if call.query.appendix:
        return await with_appendix(call.services, call.ids["id"])
    return await file(call.services, call.ids["id"], "pdf")


async def xml(call: Call[Nothing, Nothing]) -> File:
    return await file(call.services, call.ids["id"], "xml")


async def finalize(call: Call[Nothing, Nothing]) -> InvoiceRead:
    made = await call.services.clerk.finalize(call.actor, call.ids["id"], call.now)
    return await _read(call, made.id)


async def cancel(call: Call[Reason, Nothing]) -> InvoiceRead:
    before = await _read(call, call.ids["id"])
    async with transaction(call.services.pool) as connection:
        changed = await correcting.cancel(
            connection, call.services.clerk.press, call.actor, call.ids["id"], call.body.reason, call.now
        )
    if changed.number is None:
        # A draft that is gone: as it was.
        return before.model_copy(update={"status": changed.status})
    return await _read(call, changed.id)


async def credit(call: Call[NewCredit, Nothing]) -> InvoiceRead:
    async with transaction(call.services.pool) as connection:
        note = await correcting.credit(
            connection,
            call.services.clerk.press,
            call.actor,
            call.ids["id"],
            call.body.chosen(),
            call.body.reason,
            call.now,
        )
    return await _read(call, note.id)


async def pay(call: Call[NewPayment, Nothing]) -> InvoiceRead:
    body = call.body
    async with transaction(call.services.pool) as connection:
        changed = await receivables.pay(
            connection,
            call.actor,
            call.ids["id"],
            amount=body.amount,
            paid_on=body.date,
            reference=body.reference,
            now=call.now,
        )
    return await _read(call, changed.id)


async def _read(call: Call[Any, Any], invoice_id: str) -> InvoiceRead:
    async with reading(call.services.pool) as connection:
        return await read(connection, invoice_id)


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/billing/invoices",
        summary="Make the draft of an invoice, or work it out anew",
        handler=create,
        body=NewInvoice,
        query=Nothing,
        answer=InvoiceRead,
        status=201,
    ),
    Operation(
        method="GET",
        path="/api/billing/invoices",
        summary="List invoices and credit notes, the newest first",
        handler=listing,
        body=Nothing,
        query=InvoicesQuery,
        answer=Page[InvoiceRecord],
    ),
    Operation(
        method="GET",
        path="/api/billing/invoices/{id}",
        summary="Read an invoice in full",
        handler=get,
        body=Nothing,
        query=Nothing,
        answer=InvoiceRead,
    ),
    Operation(
        method="GET",
        path="/api/billing/invoices/{id}.pdf",
        summary="An invoice as it was sent (Factur-X); a draft is marked as one",
        handler=pdf,
        body=Nothing,
        query=PdfQuery,
        answer=File,
        media_types=("application/pdf",),
    ),
    Operation(
        method="GET",
        path="/api/billing/invoices/{id}.xml",
        summary="What a program reads of an issued invoice (EN 16931, CII)",
        handler=xml,
        body=Nothing,
        query=Nothing,
        answer=File,
        media_types=("application/xml",),
    ),
    Operation(
        method="POST",
        path="/api/billing/invoices/{id}/finalize",
        summary="Issue a draft, worked out anew: numbered, dated, frozen, sent",
        handler=finalize,
        body=Nothing,
        query=Nothing,
        answer=InvoiceRead,
    ),
    Operation(
        method="POST",
        path="/api/billing/invoices/{id}/cancel",
        summary="Give back all that is left, by a credit note; a draft is deleted",
        handler=cancel,
        body=Reason,
        query=Nothing,
        answer=InvoiceRead,
    ),
    Operation(
        method="POST",
        path="/api/billing/invoices/{id}/credit",
        summary="Issue a credit note of some lines, or of an amount without VAT",
        handler=credit,
        body=NewCredit,
        query=Nothing,
        answer=InvoiceRead,
        status=201,
    ),
    Operation(
        method="POST",
        path="/api/billing/invoices/{id}/payments",
        summary="Book a payment, once for each reference",
        handler=pay,
        body=NewPayment,
        query=Nothing,
        answer=InvoiceRead,
        status=201,
    ),
)
