from dataclasses import replace

import pytest

from billing_worker.documents.cii import cii_xml
from billing_worker.documents.duties import findings
from billing_worker.documents.facts import parse
from billing_worker.documents.vat_treatment import vat_treatment
from ledger.invoice import Address, Invoice
from tests.billing_worker.documents.invoices import (
    AMERICAN_BUYER,
    FRENCH_BUYER,
    GERMAN_BUYER,
    SELLER,
    credit_note,
    invoice,
)

NOWHERE = Address(lines=(), postal_code="", city="", country="FR")
REVERSED = vat_treatment("FR", "DE", "fr", buyer_vat_number_confirmed=True)
PERSON = replace(FRENCH_BUYER, siren=None, siret=None, vat_number=None)


def rules(of: Invoice) -> list[str]:
    return [finding.rule for finding in findings(parse(cii_xml(of)))]


@pytest.mark.parametrize(
    "issued",
    [
        invoice(),
        invoice(buyer=GERMAN_BUYER),
        invoice(buyer=AMERICAN_BUYER),
        credit_note(invoice()),
        invoice(buyer=replace(PERSON, address=NOWHERE)),
    ],
)
def test_what_meets_its_duties_has_no_findings(issued: Invoice) -> None:
    assert rules(issued) == []


@pytest.mark.parametrize(
    ("issued", "found"),
    [
        (invoice(seller=replace(SELLER, address=NOWHERE)), ["SELLER-ADDRESS"]),
        (invoice(seller=replace(SELLER, vat_number=None)), ["SELLER-VAT"]),
        (invoice(buyer=replace(FRENCH_BUYER, address=NOWHERE)), ["BUYER-ADDRESS"]),
        (invoice(buyer=replace(GERMAN_BUYER, vat_number=None), treatment=REVERSED), ["BUYER-VAT"]),
        (invoice(due_on=None), ["DUE-DATE"]),
    ],
)
def test_each_duty_is_asked_for(issued: Invoice, found: list[str]) -> None:
    assert rules(issued) == found
