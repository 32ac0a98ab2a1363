"""Invoices and credit notes as they stand: the list, one in full, and the files that were sent."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Self

import asyncpg
from pydantic import PlainSerializer

from ledger.database import Connection
from ledger.errors import NotFoundError
from ledger.invoice import (
    Address,
    Currency,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    Language,
    Mention,
    Party,
    Preceding,
    VatInEuros,
    VatShare,
)
from ledger.pages import Slice
from ledger.periods import Period
from ledger.records import Instant, Record

Amount = Annotated[Decimal, PlainSerializer("{:.2f}".format, return_type=str)]
"""Money of a document, two places."""


class InvoiceRecord(Record):
    """`organization_id` pays. Amounts in `currency`; `due` is below zero where money is to be given back.

    `total_amount_eur` is `gross` by the rate of the day of issue, null for a draft.
    """

    id: str
    kind: InvoiceKind
    status: InvoiceStatus
    number: str | None
    organization_id: str
    currency: Currency
    language: Language
    period_start: Instant
    period_end: Instant
    total_requests: int
    net: Amount
    vat_total: Amount
    gross: Amount
    credited: Amount
    paid: Amount
    due: Amount
    total_amount_eur: Amount | None
    issued_at: Instant | None
    issued_on: date | None
    due_on: date | None
    paid_at: Instant | None
    preceding_id: str | None
    reason: str | None
    pdf_path: str | None
    xml_path: str | None
    created_at: Instant
    computed_at: Instant

    @classmethod
    def of(cls, row: asyncpg.Record | None) -> Self:
        if row is None:
            raise LookupError("no row makes no invoice")
        path = f"/api/billing/invoices/{row['id']}"
        issued = row["number"] is not None
        given: dict[str, Any] = {
            "organization_id": row["payer_id"],
            "due": row["gross"] - row["paid"] - row["credited"],
            "total_amount_eur": row["gross_eur"],
            "pdf_path": f"{path}.pdf" if issued else None,
            "xml_path": f"{path}.xml" if issued else None,
        }
        return cls(**given, **{name: row[name] for name in cls.model_fields if name not in given})


@dataclass(frozen=True, slots=True)
class Filter:
    """None does not filter."""

    payer_id: str | None = None
    status: InvoiceStatus | None = None
    kind: InvoiceKind | None = None
    issued: bool | None = None


async def get(connection: Connection, invoice_id: str, payer_id: str | None = None) -> InvoiceRecord:
    """Raises NotFoundError, also for another payer's than `payer_id`."""
    return InvoiceRecord.of(await _row(connection, invoice_id, payer_id))


async def lock(connection: Connection, invoice_id: str) -> InvoiceRecord:
    """As `get`; who changes it waits for this transaction."""
    return InvoiceRecord.of(await _row(connection, invoice_id, None, " for update"))


async def _row(
    connection: Connection, invoice_id: str, payer_id: str | None, suffix: str = ""
) -> asyncpg.Record:
    row = await connection.fetchrow(
        f"select * from invoice where id = $1 and ($2::text is null or payer_id = $2){suffix}",
        invoice_id,
        payer_id,
    )
    if row is None:
        raise NotFoundError("invoice", invoice_id)
    return row


async def listing(connection: Connection, wanted: Filter, part: Slice) -> list[InvoiceRecord]:
    """The newest first."""
    rows = await connection.fetch(
        "select * from invoice where ($1::timestamptz is null or (created_at, id) < ($1, $2::text))"
        " and ($4::text is null or payer_id = $4) and ($5::text is null or status = $5)"
        " and ($6::text is null or kind = $6) and ($7::boolean is null or (number is not null) = $7)"
        " order by created_at desc, id desc limit $3",
        *(*part.arguments, wanted.payer_id, wanted.status, wanted.kind, wanted.issued),
    )
    return [InvoiceRecord.of(row) for row in rows]


async def credit_notes(connection: Connection, invoice_id: str) -> list[InvoiceRecord]:
    """Those that correct this invoice, the oldest first."""
    rows = await connection.fetch(
        "select * from invoice where preceding_id = $1 order by created_at, id", invoice_id
    )
    return [InvoiceRecord.of(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Sent:
    """The files of an issued invoice, as they were sent."""

    number: str
    pdf: bytes
    xml: bytes


async def sent(connection: Connection, invoice_id: str) -> Sent | None:
    """None for a draft. Raises NotFoundError."""
    row = await connection.fetchrow(
        "select number, pdf, xml from invoice left join invoice_document on invoice_id = id where id = $1",
        invoice_id,
    )
    if row is None:
        raise NotFoundError("invoice", invoice_id)
    return None if row["pdf"] is None else Sent(row["number"], row["pdf"], row["xml"])


async def document(connection: Connection, invoice_id: str) -> Invoice:
    """All that stands on it. Raises NotFoundError."""
    row = await _row(connection, invoice_id, None)
    lines = await connection.fetch(
        "select * from invoice_line where invoice_id = $1 order by place", invoice_id
    )
    shares = await connection.fetch(
        "select * from invoice_vat where invoice_id = $1 order by category, rate desc", invoice_id
    )
    preceding = None
    if row["preceding_id"] is not None:
        corrected = await _row(connection, row["preceding_id"], None)
        preceding = Preceding(number=corrected["number"], issued_on=corrected["issued_on"])
    return Invoice(
        **{name: row[name] for name in _PLAIN},
        period=Period(row["period_start"], row["period_end"]),
        seller=_party(row["seller"]),
        buyer=_party(row["buyer"]),
        lines=tuple(_line(line) for line in lines),
        vat=tuple(_share(share) for share in shares),
        mentions=tuple(Mention(**mention) for mention in row["mentions"]),
        vat_in_euros=_vat_in_euros(row["vat_in_euros"]),
        preceding=preceding,
    )


_PLAIN = (
    *("id", "kind", "status", "number", "language", "currency", "issued_on", "due_on", "net", "vat_total"),
    *("gross", "paid", "payment_terms", "time_zone", "bank_iban", "bank_bic", "buyer_reference"),
    "vat_on_debits",
)


def _party(told: dict[str, Any]) -> Party:
    address = told["address"]
    return Party(**{**told, "address": Address(**{**address, "lines": tuple(address["lines"])})})


def _line(row: asyncpg.Record) -> InvoiceLine:
    told = dict(row)
    del told["invoice_id"], told["place"], told["span_start"]
    return InvoiceLine(period=Period(told.pop("starts_at"), told.pop("ends_at")), **told)


def _share(row: asyncpg.Record) -> VatShare:
    told = dict(row)
    del told["invoice_id"]
    return VatShare(**told)


def _vat_in_euros(told: dict[str, Any] | None) -> VatInEuros | None:
    if told is None:
        return None
    return VatInEuros(
        amount=Decimal(told["amount"]),
        per_euro=Decimal(told["per_euro"]),
        day=date.fromisoformat(told["day"]),
        source=told["source"],
    )
