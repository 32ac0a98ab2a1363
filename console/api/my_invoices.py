"""Invoices, for those who pay them: what was issued, never a draft."""

from typing import Any

from console.call import Call, Nothing, Operation
from console.file import File
from console.invoice_answers import InvoiceRead, PdfQuery, file, read, with_appendix
from console.paging import Page, PageQuery, page_of, slice_of
from ledger import invoices
from ledger.database import reading
from ledger.errors import NotFoundError
from ledger.invoice import InvoiceKind, InvoiceStatus
from ledger.invoices import Filter, InvoiceRecord


class MyInvoicesQuery(PageQuery):
    status: InvoiceStatus | None = None
    kind: InvoiceKind | None = None


async def listing(call: Call[Nothing, MyInvoicesQuery]) -> Page[InvoiceRecord]:
    query = call.query
    wanted = Filter(call.caller.organization.id, query.status, query.kind, issued=True)
    async with reading(call.services.pool) as connection:
        rows = await invoices.listing(connection, wanted, slice_of(query))
    return page_of(Page[InvoiceRecord], rows, query, lambda row: (row.created_at, row.id))


async def get(call: Call[Nothing, Nothing]) -> InvoiceRead:
    await _check(call)
    async with reading(call.services.pool) as connection:
        return await read(connection, call.ids["id"])


async def pdf(call: Call[Nothing, PdfQuery]) -> File:
    await _check(call)
    if call.query.appendix:
        return await with_appendix(call.services, call.ids["id"])
    return await file(call.services, call.ids["id"], "pdf")


async def xml(call: Call[Nothing, Nothing]) -> File:
    await _check(call)
    return await file(call.services, call.ids["id"], "xml")


async def _check(call: Call[Nothing, Any]) -> None:
    """Raises NotFoundError for what is another's, or not issued."""
    async with reading(call.services.pool) as connection:
        found = await invoices.get(connection, call.ids["id"], call.caller.organization.id)
    if found.number is None:
        raise NotFoundError("invoice", call.ids["id"])


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/me/invoices",
        summary="What was invoiced to the caller's organization, the newest first",
        handler=listing,
        body=Nothing,
        query=MyInvoicesQuery,
        answer=Page[InvoiceRecord],
        access="key",
    ),
    Operation(
        method="GET",
        path="/api/me/invoices/{id}",
        summary="Read an invoice of the caller's organization in full",
        handler=get,
        body=Nothing,
        query=Nothing,
        answer=InvoiceRead,
        access="key",
    ),
    Operation(
        method="GET",
        path="/api/me/invoices/{id}.pdf",
        summary="An invoice of the caller's organization as it was sent (Factur-X)",
        handler=pdf,
        body=Nothing,
        query=PdfQuery,
        answer=File,
        media_types=("application/pdf",),
        access="key",
    ),
    Operation(
        method="GET",
        path="/api/me/invoices/{id}.xml",
        summary="What a program reads of an invoice of the caller's organization (EN 16931, CII)",
        handler=xml,
        body=Nothing,
        query=Nothing,
        answer=File,
        media_types=("application/xml",),
        access="key",
    ),
)
