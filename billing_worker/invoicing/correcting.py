"""Correcting what was issued: credit notes, of all or of a part. An issued invoice itself never changes."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing_worker.invoicing.credit_lines import shares, whole
from billing_worker.invoicing.issuing import issue
from billing_worker.invoicing.press import Press
from ledger import audit, closings, invoices, receivables, sellers
from ledger.database import Connection
from ledger.errors import ConflictError, LedgerError
from ledger.exchange import Rate
from ledger.ids import new_id
from ledger.invoice import Invoice, InvoiceLine, Preceding, VatShare
from ledger.invoice_totals import ZERO
from ledger.invoice_writing import Draft, lock_payer, save_draft
from ledger.invoices import InvoiceRecord

Lines = Callable[[Invoice, Sequence[VatShare]], tuple[InvoiceLine, ...]]
"""Of an invoice, and what was credited of it: the lines to give back."""


async def credit(
    connection: Connection, press: Press, actor: str, invoice_id: str, lines: Lines, reason: str, at: datetime
) -> InvoiceRecord:
    """Issues a credit note of these lines and gives it. Call it in a transaction.

    Raises NotFoundError; ConflictError for what is no issued invoice or has less left; UnlawfulError.
    """
    present = await invoices.get(connection, invoice_id)
    await lock_payer(connection, present.organization_id)
    present = await invoices.lock(connection, invoice_id)
    if present.kind != "invoice" or present.status in ("draft", "cancelled"):
        raise ConflictError(
            f"a {present.kind.replace('_', ' ')} that is {present.status} can not be credited"
        )
    invoice = await invoices.document(connection, invoice_id)
    credited = await _credited(connection, invoice_id)
    wanted = lines(invoice, credited)
    note = _note(invoice, wanted, shares(invoice, credited, wanted), new_id("inv"))
    if note.gross <= 0:
        raise LedgerError("there is nothing to give back")
    seller = await sellers.get(connection)
    draft = Draft(note, present.organization_id, 0, at, preceding_id=invoice_id, reason=reason)
    await save_draft(connection, draft)
    issued = await issue(
        connection,
        press,
        actor,
        draft,
        series=seller.credit_series,
        today=_today(at, seller.time_zone),
        days=0,
        at=at,
        rate=_same_rate(invoice),
    )
    changed = await receivables.credit(connection, invoice_id, issued.gross, at)
    if changed.status == "cancelled":
        await closings.cancel(connection, invoice_id)
    detail = {"invoice": invoice_id, "number": issued.number, "reason": reason}
    await audit.write(connection, actor, "invoice.credit", issued.id, detail)
    return issued


async def cancel(
    connection: Connection, press: Press, actor: str, invoice_id: str, reason: str, at: datetime
) -> InvoiceRecord:
    """Gives back all that is left of an invoice, and gives the invoice, now cancelled. A draft is deleted."""
    present = await invoices.get(connection, invoice_id)
    await lock_payer(connection, present.organization_id)
    present = await invoices.lock(connection, invoice_id)
    if present.status == "draft":
        await connection.execute("delete from invoice where id = $1", invoice_id)
        await audit.write(connection, actor, "invoice.drop", invoice_id, {"reason": reason})
        return present.model_copy(update={"status": "cancelled"})
    await credit(connection, press, actor, invoice_id, whole, reason, at)
    return await invoices.get(connection, invoice_id)


async def _credited(connection: Connection, invoice_id: str) -> list[VatShare]:
    return [
        share
        for note in await invoices.credit_notes(connection, invoice_id)
        for share in (await invoices.document(connection, note.id)).vat
    ]


def _note(
    invoice: Invoice, lines: tuple[InvoiceLine, ...], vat: tuple[VatShare, ...], note_id: str
) -> Invoice:
    net = sum((share.base for share in vat), ZERO)
    vat_total = sum((share.amount for share in vat), ZERO)
    return Invoice(
        id=note_id,
        kind="credit_note",
        status="draft",
        number=None,
        language=invoice.language,
        currency=invoice.currency,
        period=invoice.period,
        issued_on=None,
        due_on=None,
        seller=invoice.seller,
        buyer=invoice.buyer,
        lines=lines,
        vat=vat,
        net=net,
        vat_total=vat_total,
        gross=net + vat_total,
        paid=ZERO,
        mentions=invoice.mentions,
        payment_terms=invoice.payment_terms,
        time_zone=invoice.time_zone,
        preceding=_preceding(invoice),
        bank_iban=invoice.bank_iban,
        bank_bic=invoice.bank_bic,
        buyer_reference=invoice.buyer_reference,
        vat_on_debits=invoice.vat_on_debits,
    )


def _preceding(invoice: Invoice) -> Preceding:
    assert invoice.number is not None
    assert invoice.issued_on is not None
    return Preceding(number=invoice.number, issued_on=invoice.issued_on)


def _same_rate(invoice: Invoice) -> Rate | None:
    """What was stated in euros is taken back in euros at the same rate."""
    stated = invoice.vat_in_euros
    return None if stated is None else Rate(stated.day, Decimal(stated.per_euro), stated.source)


def _today(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()
