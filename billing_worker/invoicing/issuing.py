"""Issuing: number, dates, files and freezing, all in the transaction of whoever calls."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from billing_worker.invoicing.press import Press
from ledger import billing_profiles, invoices, notifications
from ledger.database import Connection
from ledger.errors import ConflictError
from ledger.exchange import Rate
from ledger.invoice import Invoice, VatInEuros
from ledger.invoice_totals import cents
from ledger.invoice_writing import Draft, take_number
from ledger.invoice_writing import issue as freeze
from ledger.invoices import InvoiceRecord
from ledger.notifications import Attachment


async def issue(
    connection: Connection,
    press: Press,
    actor: str,
    draft: Draft,
    *,
    series: str,
    today: date,
    days: int,
    at: datetime,
    rate: Rate | None = None,
) -> InvoiceRecord:
    """Issues the saved draft with the next number of `series`, due in `days`; the payer gets it by mail.

    `rate` is what a document in dollars is stated with, None: that of the day. Raises UnlawfulError; ConflictError
    where no rate is known.
    """
    number = await take_number(connection, series, today)
    invoice = draft.invoice
    if invoice.currency == "USD" and rate is None:
        rate = await _rate(connection, number.day)
    issued = replace(
        invoice,
        status="sent",
        number=number.text,
        issued_on=number.day,
        due_on=number.day + timedelta(days=days),
        vat_in_euros=_in_euros(invoice, rate),
    )
    printed = await press.print(issued)
    await freeze(
        connection,
        issued,
        number,
        pdf=printed.pdf,
        xml=printed.xml,
        gross_eur=issued.gross if rate is None else _euros(issued.gross, rate),
        at=at,
    )
    await _tell(connection, draft, issued, printed.pdf)
    return await invoices.get(connection, issued.id)


async def _rate(connection: Connection, day: date) -> Rate:
    row = await connection.fetchrow(
        "select day, per_euro, source from exchange_rate where currency = 'USD' and day <= $1"
        " order by day desc limit 1",
        day,
    )
    if row is None:
        raise ConflictError(f"no exchange rate is known for {day}, to state the VAT in euros")
    return Rate(row["day"], row["per_euro"], row["source"])


def _euros(dollars: Decimal, rate: Rate) -> Decimal:
    return cents(Fraction(dollars) / Fraction(rate.per_euro))


def _in_euros(invoice: Invoice, rate: Rate | None) -> VatInEuros | None:
    if rate is None:
        return None
    return VatInEuros(
        amount=_euros(invoice.vat_total, rate), per_euro=rate.per_euro, day=rate.day, source=rate.source
    )


async def _tell(connection: Connection, draft: Draft, issued: Invoice, pdf: bytes) -> None:
    told: dict[str, object] = {
        "number": issued.number,
        "gross": issued.gross,
        "currency": issued.currency,
        "issued_on": issued.issued_on,
    }
    if issued.preceding is None:
        kind, told["due_on"] = "invoice_issued", issued.due_on
    else:
        kind, told["preceding"] = "credit_note_issued", issued.preceding.number
    profile = await billing_profiles.get(connection, draft.payer_id)
    await notifications.queue(
        connection,
        kind=kind,
        organization_id=draft.payer_id,
        key=f"{kind}:{issued.id}",
        values=told,
        attachments=[Attachment(f"{issued.number}.pdf", "application/pdf", pdf)],
        recipients=[profile.invoice_email] if profile.invoice_email else None,
    )
