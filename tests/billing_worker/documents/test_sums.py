from dataclasses import replace
from decimal import Decimal

import pytest

from billing_worker.documents.cii import cii_xml
from billing_worker.documents.facts import InvoiceFacts, parse
from billing_worker.documents.sums import findings
from ledger.invoice import Invoice
from tests.billing_worker.documents.invoices import credit_note, invoice

CENT = Decimal("0.01")


def facts(of: Invoice) -> InvoiceFacts:
    return parse(cii_xml(of))


def rules(of: Invoice) -> list[str]:
    return [finding.rule for finding in findings(facts(of))]


def test_an_invoice_that_adds_up_has_no_findings() -> None:
    assert rules(invoice()) == []


def test_a_vat_one_cent_off_is_found_although_it_is_carried_through() -> None:
    right = invoice()
    (share,) = right.vat
    wrong = replace(
        right,
        vat=(replace(share, amount=share.amount + CENT),),
        vat_total=right.vat_total + CENT,
        gross=right.gross + CENT,
    )
    assert rules(wrong) == ["SUM-SHARE"]


@pytest.mark.parametrize(
    ("field", "rule"),
    [("net", "SUM-NET"), ("vat_total", "SUM-VAT"), ("gross", "SUM-GROSS"), ("paid", "SUM-DUE")],
)
def test_every_total_is_checked(field: str, rule: str) -> None:
    said = facts(invoice())
    wrong = replace(said, **{field: getattr(said, field) + CENT})
    assert rule in [finding.rule for finding in findings(wrong)]


def test_a_line_that_is_not_its_price_is_found() -> None:
    said = facts(invoice())
    wrong = replace(said, lines=(replace(said.lines[0], quantity=Decimal(2)), *said.lines[1:]))
    assert [(finding.rule, finding.message) for finding in findings(wrong)] == [
        ("SUM-LINE", "net of line 1 is 85.00, and should be 170.00")
    ]


def test_a_share_that_no_line_has_is_found() -> None:
    said = facts(invoice())
    assert [finding.rule for finding in findings(replace(said, vat=(*said.vat, said.vat[0])))] == [
        "SUM-SHARES",
        "SUM-VAT",
    ]


@pytest.mark.parametrize(("off", "found"), [(CENT, []), (2 * CENT, ["SUM-SHARE"])])
def test_a_credit_note_may_be_a_cent_off_and_no_more(off: Decimal, found: list[str]) -> None:
    right = credit_note(invoice())
    (share,) = right.vat
    shares = (replace(share, amount=share.amount + off),)
    assert (
        rules(replace(right, vat=shares, vat_total=right.vat_total + off, gross=right.gross + off)) == found
    )
