"""An invoice as the API shows it."""

from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, Field

from billing_worker.invoicing.usage_days import usage_days
from console.call import Input, Services
from console.file import File
from ledger import invoices, receivables
from ledger.database import Connection, reading
from ledger.errors import ConflictError
from ledger.invoice import Invoice, InvoiceLine, VatShare
from ledger.invoices import Amount, InvoiceRecord
from ledger.receivables import Payment
from ledger.records import Instant, decimal_text


class Item(BaseModel):
    """`total_price` is `quantity` times `unit_price` over `base_quantity`, without VAT."""

    line: int
    kind: str
    description: str
    quantity: str
    unit: str
    unit_price: str
    base_quantity: str
    total_price: Amount
    vat_rate: str
    period_start: Instant
    period_end: Instant
    organization_id: str
    project: str | None
    project_name: str | None
    model: str | None

    @classmethod
    def of_line(cls, place: int, line: InvoiceLine) -> "Item":
        return cls(
            line=place,
            kind=line.kind,
            description=line.description,
            quantity=f"{line.quantity:f}",
            unit=line.unit,
            unit_price=decimal_text(line.unit_price),
            base_quantity=f"{line.base_quantity:f}",
            total_price=line.net,
            vat_rate=f"{line.vat_rate:f}",
            period_start=line.period.start,
            period_end=line.period.end,
            organization_id=line.organization_id,
            project=line.project,
            project_name=line.project_name,
            model=line.model,
        )


class PdfQuery(Input):
    appendix: bool = Field(False, description="with what was used, day by day, behind an issued invoice")


class Vat(BaseModel):
    """`category` is of UNTDID 5305; `exemption` says why none is due."""

    category: str
    rate: str
    base: Amount
    amount: Amount
    exemption: str | None

    @classmethod
    def of_share(cls, share: VatShare) -> "Vat":
        return cls(
            category=share.category,
            rate=f"{share.rate:f}",
            base=share.base,
            amount=share.amount,
            exemption=share.exemption,
        )


class InvoiceRead(InvoiceRecord):
    """With all that stands on it; `payments` and `credit_notes` are an invoice's only."""

    seller: str
    buyer: str
    items: list[Item]
    vat: list[Vat]
    mentions: list[str]
    payment_terms: str
    payments: list[Payment]
    credit_notes: list[InvoiceRecord]


async def read(connection: Connection, invoice_id: str) -> InvoiceRead:
    """In full. Raises NotFoundError."""
    record = await invoices.get(connection, invoice_id)
    document = await invoices.document(connection, invoice_id)
    return InvoiceRead(
        seller=document.seller.name,
        buyer=document.buyer.name,
        items=[Item.of_line(place, line) for place, line in enumerate(document.lines, 1)],
        vat=[Vat.of_share(share) for share in document.vat],
        mentions=[mention.text for mention in document.mentions],
        payment_terms=document.payment_terms,
        payments=await receivables.payments(connection, invoice_id),
        credit_notes=await invoices.credit_notes(connection, invoice_id),
        **dict(record),
    )


async def file(services: Services, invoice_id: str, kind: Literal["pdf", "xml"]) -> File:
    """As it was sent; of a draft a PDF that is marked as one. Raises NotFoundError, and ConflictError for a draft's
    XML."""
    draft: Invoice | None = None
    async with reading(services.pool) as connection:
        sent = await invoices.sent(connection, invoice_id)
        if sent is None:
            draft = await invoices.document(connection, invoice_id)
    if sent is None:
        if kind == "xml" or draft is None:
            raise ConflictError("it is a draft: its XML is made when it is issued")
        return File(await services.clerk.press.preview(draft), "application/pdf", f"draft-{invoice_id}.pdf")
    content: dict[str, Any] = {"pdf": sent.pdf, "xml": sent.xml}
    return File(content[kind], f"application/{kind}", f"{sent.number}.{kind}")


async def with_appendix(services: Services, invoice_id: str) -> File:
    """As it was sent, and behind it what was used day by day. Raises NotFoundError, and ConflictError for a draft."""
    async with reading(services.pool) as connection:
        sent = await invoices.sent(connection, invoice_id)
        if sent is None:
            raise ConflictError("it is a draft: what it bills is settled when it is issued")
        document = await invoices.document(connection, invoice_id)
        days = await usage_days(connection, document)
    # What has been paid since stands on no invoice that was sent.
    as_sent = replace(document, paid=Decimal("0.00"))
    pdf = await services.clerk.press.detailed(as_sent, sent.xml, days)
    return File(pdf, "application/pdf", f"{sent.number}-usage.pdf")
