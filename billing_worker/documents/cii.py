"""An invoice as Cross Industry Invoice: the XML of Factur-X, profile EN 16931, with what French rules add.

Keys are the business terms of EN 16931. French rules are those of AFNOR XP Z12-012: the frame of invoicing (BT-23),
notes with subject codes, SIREN as legal and electronic address, VAT in euros beside another currency.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import facturx

from billing_worker.documents.characters import as_written
from ledger.invoice import Invoice, InvoiceLine, Party, VatShare
from ledger.periods import days_of

FILE_NAME = "factur-x.xml"
LEVEL = "en16931"

_TYPES = {"invoice": "380", "credit_note": "381"}
_SIREN, _SIRET, _ELECTRONIC_SIREN, _EMAIL = "0002", "0009", "0225", "EM"  # of ISO 6523 and the EAS list
_TRANSFER, _SEPA_TRANSFER = "30", "58"
_AT_PAYMENT, _AT_INVOICE = "72", "5"
_SERVICES, _SERVICES_PAID = "S1", "S2"

Terms = dict[str, Any]


class DraftError(ValueError):
    """A draft has no number and no date, and therefore no XML."""


def cii_xml(invoice: Invoice) -> bytes:
    """The same bytes for the same invoice. Raises DraftError for a draft."""
    terms = _document(invoice)
    # What is not valid is found by the validator, in a process of its own, and said with the rule's name.
    xml: bytes = facturx.generate_cii_xml(terms, level=LEVEL, check_xsd=False, check_schematron=False)
    return xml


def _document(invoice: Invoice) -> Terms:
    if invoice.number is None or invoice.issued_on is None:
        raise DraftError(f"invoice {invoice.id} is a draft: it has no number or no date")
    first, last = days_of(invoice.period, invoice.time_zone)
    # EN 16931 forbids VAT numbers where nothing is subject to VAT (BR-O-02).
    taxed = all(share.category != "O" for share in invoice.vat)
    terms: Terms = {
        "BT-1": invoice.number,
        "BT-2": invoice.issued_on,
        "BT-3": _TYPES[invoice.kind],
        "BT-5": invoice.currency,
        "BT-20": as_written(invoice.payment_terms),
        "BT-23": _SERVICES_PAID if _is_paid(invoice) else _SERVICES,
        # When the service was completed, which the law wants as well as the period.
        "BT-72": last,
        "BT-73": first,
        "BT-74": last,
        "BG-1": list(_notes(invoice)),
        "BG-4": _party(invoice.seller, taxed=taxed) | _seller_terms(invoice.seller, taxed=taxed),
        "BG-7": _party(invoice.buyer, taxed=taxed),
        "BG-23": [_vat(share) for share in invoice.vat],
        "BG-25": [_line(number, line, invoice.time_zone) for number, line in enumerate(invoice.lines, 1)],
        "BT-106": money(invoice.net),
        "BT-109": money(invoice.net),
        "BT-110": money(invoice.vat_total),
        "BT-112": money(invoice.gross),
        "BT-115": money(invoice.due),
    }
    if invoice.paid:
        terms["BT-113"] = money(invoice.paid)
    if invoice.due_on is not None:
        terms["BT-9"] = invoice.due_on
    if invoice.buyer_reference is not None:
        terms["BT-10"] = as_written(invoice.buyer_reference)
    if any(share.category == "S" for share in invoice.vat):
        terms["BT-8"] = _AT_INVOICE if invoice.vat_on_debits else _AT_PAYMENT
    if invoice.vat_in_euros is not None:
        terms |= {"BT-6": "EUR", "BT-111": money(invoice.vat_in_euros.amount)}
    if invoice.preceding is not None:
        terms["BG-3"] = [{"BT-25": invoice.preceding.number, "BT-26": invoice.preceding.issued_on}]
    return terms | _payment(invoice)


def _is_paid(invoice: Invoice) -> bool:
    return invoice.gross > 0 and invoice.due == 0 and invoice.due_on is not None


def _notes(invoice: Invoice) -> Iterator[Terms]:
    for mention in invoice.mentions:
        yield {"BT-22": as_written(mention.text), "BT-21": mention.subject}
    if treatment := _french_treatment(invoice):
        yield {"BT-22": treatment, "BT-21": "BAR"}


def _french_treatment(invoice: Invoice) -> str | None:
    """How the French platforms have to handle it, where that is sure."""
    if invoice.seller.address.country != "FR":
        return None
    if invoice.buyer.address.country == "FR":
        return "B2B" if invoice.buyer.siren else None
    return "B2BINT" if invoice.buyer.vat_number else None


def _payment(invoice: Invoice) -> Terms:
    if invoice.bank_iban is None:
        return {}
    terms: Terms = {
        "BT-81": _SEPA_TRANSFER if invoice.currency == "EUR" else _TRANSFER,
        "BT-83": invoice.number,
        "BT-84": invoice.bank_iban.replace(" ", ""),
        "BT-85": as_written(invoice.seller.name),
    }
    if invoice.bank_bic is not None:
        terms["BT-86"] = invoice.bank_bic
    return terms


def _party(party: Party, *, taxed: bool) -> Terms:
    address = party.address
    lines = [as_written(line) for line in address.lines if line.strip()]
    terms: Terms = {
        "name": as_written(party.name),
        "country_code": address.country,
        "city": as_written(address.city),
        "postcode": as_written(address.postal_code),
    }
    # There are three lines: the rest stands in the last.
    terms |= dict(zip(("addr_l1", "addr_l2", "addr_l3"), [*lines[:2], ", ".join(lines[2:])], strict=False))
    if party.siren is not None:
        terms |= {"legal_identifier": party.siren, "legal_identifier_schemeid": _SIREN}
        terms |= {"einvoicing_addr": party.siren, "einvoicing_addr_schemeid": _ELECTRONIC_SIREN}
    elif party.email is not None:
        terms |= {"einvoicing_addr": party.email, "einvoicing_addr_schemeid": _EMAIL}
    if party.siret is not None:
        terms["identifiers"] = {_SIRET: party.siret}
    if party.vat_number is not None and taxed:
        terms["vat_identifier"] = party.vat_number
    return terms


def _seller_terms(seller: Party, *, taxed: bool) -> Terms:
    terms: Terms = {}
    if seller.legal_mention is not None:
        terms["legal_info"] = as_written(seller.legal_mention)
    if seller.vat_number is None and seller.siren is not None and taxed:
        # Whoever charges no VAT may have no number; EN 16931 wants a fiscal one nevertheless (BR-E-02).
        terms["tax_identifier"] = seller.siren
    return terms


def _vat(share: VatShare) -> Terms:
    terms: Terms = {"BT-116": money(share.base), "BT-117": money(share.amount), "BT-118": share.category}
    if share.category != "O":
        terms["BT-119"] = number(share.rate)
    if share.exemption is not None:
        terms["BT-120"] = as_written(share.exemption)
    if share.exemption_code is not None:
        terms["BT-121"] = share.exemption_code
    return terms


def _line(position: int, line: InvoiceLine, time_zone: str) -> Terms:
    first, last = days_of(line.period, time_zone)
    terms: Terms = {
        "BT-126": str(position),
        "BT-129": number(line.quantity),
        "BT-130": line.unit,
        "BT-131": money(line.net),
        "BT-134": first,
        "BT-135": last,
        "BT-146": number(line.unit_price),
        "BT-151": line.vat_category,
        "BT-153": as_written(line.description),
        "BG-32": [
            {"BT-160": name, "BT-161": as_written(value)}
            for name, value in _attributes(line)
            if value.strip()
        ],
    }
    if line.base_quantity != 1:
        terms["BT-149"] = number(line.base_quantity)
    if line.vat_category != "O":
        terms["BT-152"] = number(line.vat_rate)
    return terms


def _attributes(line: InvoiceLine) -> Iterator[tuple[str, str]]:
    for name, value in (
        ("organization", line.organization_name),
        ("project", line.project_name or line.project),
        ("model", line.model),
    ):
        if value is not None:
            yield name, value


def money(amount: Decimal) -> str:
    return f"{amount:.2f}"


def number(value: Decimal) -> str:
    """Without an exponent and without zeros that say nothing."""
    return f"{value.normalize():f}"
