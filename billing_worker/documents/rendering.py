"""From an invoice to its document."""

import json
from collections.abc import Sequence

from billing_worker.documents.appendix import UsageOfDay
from billing_worker.documents.cii import cii_xml
from billing_worker.documents.document import Document
from billing_worker.documents.factur_x import as_factur_x
from billing_worker.documents.layout import layout
from billing_worker.documents.typesetting import typeset
from ledger.invoice import Invoice
from ledger.periods import days_of


def render(
    invoice: Invoice,
    *,
    logo: bytes | None = None,
    appendix: Sequence[UsageOfDay] = (),
    sent: bytes | None = None,
) -> Document:
    """The document of `invoice`: the same bytes for the same invoice, whenever and wherever.

    `logo` is a PNG, JPEG or SVG. A draft is marked as one, and holds no XML; `sent` is the XML of an invoice that went
    out already, and stays what it was. Takes tens of milliseconds of one core, and for hundreds of lines more: not for
    an event loop. Raises TypesettingError.
    """
    inputs = {"layout": json.dumps(layout(invoice, appendix))}
    if logo is not None:
        inputs["logo"] = json.dumps(list(logo))
    if invoice.number is None or invoice.issued_on is None:
        _, day = days_of(invoice.period, invoice.time_zone)
        return Document(pdf=typeset("invoice.typ", inputs, day=day), xml=None)
    xml = cii_xml(invoice) if sent is None else sent
    pdf = typeset("invoice.typ", inputs | {"xml": xml.decode()}, day=invoice.issued_on)
    return Document(pdf=as_factur_x(pdf), xml=xml)
