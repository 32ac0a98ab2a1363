"""Writing invoices: drafts as often as they change, then once the number and the files. The database guards what is
issued."""

from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from itertools import zip_longest
from typing import Any, NamedTuple

from ledger.database import Connection
from ledger.invoice import Invoice, VatInEuros
from ledger.periods import Period

_LOCK_CLASS = 0x696E7663  # "invc"


class Number(NamedTuple):
    """`day` is the date of issue: never before that of the number before it."""

    series: str
    sequence: int
    day: date

    @property
    def text(self) -> str:
        return f"{self.series}-{self.sequence:06d}"


class Draft(NamedTuple):
    """A document with what the ledger keeps beside it.

    `spans`: of each line, the start of the billed time that it is for; empty for a credit note.
    """

    invoice: Invoice
    payer_id: str
    total_requests: int
    computed_at: datetime
    spans: tuple[datetime, ...] = ()
    preceding_id: str | None = None
    reason: str | None = None


async def lock_payer(connection: Connection, payer_id: str) -> None:
    """Until the end of the transaction nobody else bills, credits or books a payment of this payer."""
    await connection.execute("select pg_advisory_xact_lock($1, hashtext($2))", _LOCK_CLASS, payer_id)


async def take_number(connection: Connection, series: str, today: date) -> Number:
    """The next of `series` in this year. Whoever else wants one waits until this transaction ends; if it fails, the
    number is free again."""
    name = f"{series}{today:%Y}"
    await connection.execute(
        "insert into invoice_series (series, last_number, last_day) values ($1, 0, $2) on conflict do nothing",
        name,
        today,
    )
    row = await connection.fetchrow(
        "update invoice_series set last_number = last_number + 1, last_day = greatest(last_day, $2)"
        " where series = $1 returning last_number, last_day",
        name,
        today,
    )
    if row is None:
        raise LookupError(f"series {name} vanished")
    return Number(name, row["last_number"], row["last_day"])


_INVOICE = (
    *("id", "kind", "status", "payer_id", "currency", "language", "time_zone", "period_start", "period_end"),
    *("seller", "buyer", "mentions", "payment_terms", "bank_iban", "bank_bic", "buyer_reference"),
    *(
        "vat_on_debits",
        "vat_in_euros",
        "preceding_id",
        "reason",
        "total_requests",
        "net",
        "vat_total",
        "gross",
    ),
    "computed_at",
)
_LINE = (
    *("kind", "description", "quantity", "unit", "unit_price", "base_quantity", "net", "vat_category"),
    *("vat_rate", "organization_id", "organization_name", "project", "project_name", "model"),
)
_VAT = ("category", "rate", "base", "amount", "exemption_code", "exemption")


async def save_draft(connection: Connection, draft: Draft) -> None:
    """Puts the draft in the place of what had its id. Raises asyncpg's errors where that is issued already."""
    values = _values(draft)
    columns, places = ", ".join(_INVOICE), ", ".join(f"${number}" for number in range(1, len(_INVOICE) + 1))
    settings = ", ".join(f"{name} = excluded.{name}" for name in _INVOICE if name not in ("id", "payer_id"))
    await connection.execute(
        f"insert into invoice (payer_no, {columns})"
        f" values ((select no from organization where id = ${_INVOICE.index('payer_id') + 1}), {places})"
        f" on conflict (id) do update set {settings}",
        *values,
    )
    invoice = draft.invoice
    await connection.execute("delete from invoice_line where invoice_id = $1", invoice.id)
    await connection.execute("delete from invoice_vat where invoice_id = $1", invoice.id)
    await connection.executemany(
        f"insert into invoice_line (invoice_id, place, span_start, starts_at, ends_at, {', '.join(_LINE)})"
        f" values ($1, $2, $3, $4, $5, {', '.join(f'${number}' for number in range(6, len(_LINE) + 6))})",
        [
            (
                invoice.id,
                place,
                span,
                line.period.start,
                line.period.end,
                *(getattr(line, name) for name in _LINE),
            )
            for place, (line, span) in enumerate(zip_longest(invoice.lines, draft.spans), 1)
        ],
    )
    await connection.executemany(
        f"insert into invoice_vat (invoice_id, {', '.join(_VAT)}) values ($1, $2, $3, $4, $5, $6, $7)",
        [(invoice.id, *(getattr(share, name) for name in _VAT)) for share in invoice.vat],
    )


async def drop_drafts(
    connection: Connection, payer_id: str, currency: str, period: Period, keep: str | None = None
) -> None:
    """Removes the payer's drafts of invoices that share time with `period`, but `keep`."""
    await connection.execute(
        "delete from invoice where payer_id = $1 and currency = $2 and kind = 'invoice' and status = 'draft'"
        " and tstzrange(period_start, period_end) && tstzrange($3, $4) and id is distinct from $5",
        *(payer_id, currency, period.start, period.end, keep),
    )


async def issue(
    connection: Connection,
    invoice: Invoice,
    number: Number,
    *,
    pdf: bytes,
    xml: bytes,
    gross_eur: Decimal,
    at: datetime,
) -> None:
    """Freezes the saved draft as `invoice` (numbered and dated), with the files that are sent."""
    await connection.execute(
        "insert into invoice_document (invoice_id, pdf, xml, pdf_sha256, rendered_at) values ($1, $2, $3, $4, $5)",
        *(invoice.id, pdf, xml, sha256(pdf).digest(), at),
    )
    await connection.execute(
        "update invoice set status = 'sent', series = $2, sequence = $3, number = $4, issued_at = $5, issued_on = $6,"
        " due_on = $7, gross_eur = $8, vat_in_euros = $9 where id = $1",
        *(invoice.id, number.series, number.sequence, number.text, at, invoice.issued_on, invoice.due_on),
        *(gross_eur, _in_euros(invoice.vat_in_euros)),
    )


def _values(draft: Draft) -> list[Any]:
    invoice = draft.invoice
    given: dict[str, Any] = {
        "status": "draft",
        "payer_id": draft.payer_id,
        "period_start": invoice.period.start,
        "period_end": invoice.period.end,
        "seller": asdict(invoice.seller),
        "buyer": asdict(invoice.buyer),
        "mentions": [asdict(mention) for mention in invoice.mentions],
        "vat_in_euros": _in_euros(invoice.vat_in_euros),
        "preceding_id": draft.preceding_id,
        "reason": draft.reason,
        "total_requests": draft.total_requests,
        "computed_at": draft.computed_at,
    }
    return [given[name] if name in given else getattr(invoice, name) for name in _INVOICE]


def _in_euros(stated: VatInEuros | None) -> dict[str, str] | None:
    if stated is None:
        return None
    return {
        "amount": f"{stated.amount:f}",
        "per_euro": f"{stated.per_euro:f}",
        "day": stated.day.isoformat(),
        "source": stated.source,
    }
