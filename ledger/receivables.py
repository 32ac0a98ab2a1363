"""What is owed on issued invoices: payments, credits, lateness. Call all of it in a transaction."""

from datetime import date, datetime
from decimal import Decimal

from ledger import alerts, audit, invoices, notifications
from ledger.database import Connection
from ledger.errors import ConflictError, LedgerError
from ledger.invoices import Amount, InvoiceRecord
from ledger.records import Instant, Record


class Payment(Record):
    """`reference` is the payer's or the bank's; the same one twice is one payment."""

    invoice_id: str
    reference: str
    amount: Amount
    paid_on: date
    recorded_at: Instant


async def pay(
    connection: Connection,
    actor: str,
    invoice_id: str,
    *,
    amount: Decimal,
    paid_on: date,
    reference: str,
    now: datetime,
) -> InvoiceRecord:
    """Books a payment, once for each reference.

    Raises NotFoundError; ConflictError for what is no issued invoice, is more than is due, or has the reference of
    another payment.
    """
    present = await invoices.lock(connection, invoice_id)
    known = await connection.fetchrow(
        "select * from invoice_payment where invoice_id = $1 and reference = $2", invoice_id, reference
    )
    if known is not None:
        if (known["amount"], known["paid_on"]) != (amount, paid_on):
            raise ConflictError(f"'{reference}' is the reference of another payment", "reference")
        return present
    if present.kind != "invoice" or present.status not in ("sent", "overdue"):
        raise ConflictError(f"nothing can be paid on it: it is a {present.kind} and {present.status}")
    if amount > present.due:
        raise LedgerError(f"is more than the {present.due} {present.currency} that are due", "amount")
    await connection.execute(
        "insert into invoice_payment (invoice_id, reference, amount, paid_on, recorded_at, actor)"
        " values ($1, $2, $3, $4, $5, $6)",
        *(invoice_id, reference, amount, paid_on, now, actor),
    )
    await connection.execute("update invoice set paid = paid + $2 where id = $1", invoice_id, amount)
    changed = await _settled(connection, invoice_id, now)
    detail = {"amount": f"{amount}", "currency": present.currency, "reference": reference}
    await audit.write(connection, actor, "invoice.pay", invoice_id, detail)
    await notifications.queue(
        connection,
        kind="payment_confirmed",
        organization_id=present.organization_id,
        key=f"{invoice_id}/{reference}",
        values={
            "subject": present.number,
            "amount": amount,
            "currency": present.currency,
            "paid_on": paid_on,
            "reference": reference,
        },
    )
    return changed


async def credit(connection: Connection, invoice_id: str, gross: Decimal, now: datetime) -> InvoiceRecord:
    """Takes a credit note of `gross` off what is owed. Its database guards that it is not more than was billed."""
    await connection.execute("update invoice set credited = credited + $2 where id = $1", invoice_id, gross)
    return await _settled(connection, invoice_id, now)


async def _settled(connection: Connection, invoice_id: str, now: datetime) -> InvoiceRecord:
    await connection.execute(
        "update invoice set"
        " status = case when credited = gross then 'cancelled' when paid + credited >= gross then 'paid'"
        " else status end,"
        " paid_at = case when paid > 0 and paid + credited >= gross then coalesce(paid_at, $2) else paid_at end"
        " where id = $1",
        *(invoice_id, now),
    )
    settled = await invoices.get(connection, invoice_id)
    if settled.status in ("paid", "cancelled"):
        await alerts.resolve(connection, "invoice_overdue", invoice_id, at=now)
    return settled


async def payments(connection: Connection, invoice_id: str) -> list[Payment]:
    """The oldest first."""
    rows = await connection.fetch(
        "select * from invoice_payment where invoice_id = $1 order by recorded_at, reference", invoice_id
    )
    return [Payment.of(row) for row in rows]


async def become_overdue(connection: Connection, today: date, limit: int) -> list[InvoiceRecord]:
    """Up to `limit` invoices that were due before `today`, now marked so. Others who do the same pass them over."""
    rows = await connection.fetch(
        "update invoice set status = 'overdue' where id in ("
        " select id from invoice where status = 'sent' and kind = 'invoice' and due_on < $1"
        " order by due_on limit $2 for update skip locked) returning *",
        *(today, limit),
    )
    return [InvoiceRecord.of(row) for row in rows]
