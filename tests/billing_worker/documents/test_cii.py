import re
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings

from billing_worker.documents.cii import DraftError, cii_xml
from billing_worker.documents.facts import InvoiceFacts, LineFacts, PartyFacts, VatFacts, parse
from billing_worker.documents.sums import findings
from ledger.invoice import Invoice, Party
from ledger.periods import days_of
from tests.billing_worker.documents.invoices import (
    AMERICAN_BUYER,
    FRENCH_BUYER,
    GERMAN_BUYER,
    SELLER,
    credit_note,
    draft,
    in_dollars,
    invoice,
    invoices,
    usage_line,
)


def blanks(text: str) -> str:
    return re.sub(r"[^\S\u00a0\u202f]+", " ", text).strip()


def party_facts(party: Party, *, taxed: bool) -> PartyFacts:
    return PartyFacts(
        name=blanks(party.name),
        lines=party.address.lines,
        postal_code=party.address.postal_code,
        city=party.address.city,
        country=party.address.country,
        siren=party.siren,
        siret=party.siret,
        vat_number=party.vat_number if taxed else None,
        electronic_address=party.siren or party.email,
    )


def facts_of(of: Invoice) -> InvoiceFacts:
    """What the XML of an invoice to FRENCH_BUYER, GERMAN_BUYER or AMERICAN_BUYER has to say."""
    assert of.number is not None
    assert of.issued_on is not None
    taxed = all(share.category != "O" for share in of.vat)
    first, last = days_of(of.period, of.time_zone)
    bar = {"FR": "B2B", "DE": "B2BINT"}.get(of.buyer.address.country)
    notes: list[tuple[str | None, str]] = [(said.subject, blanks(said.text)) for said in of.mentions]
    return InvoiceFacts(
        number=of.number,
        type_code="381" if of.kind == "credit_note" else "380",
        process="S1",
        issued_on=of.issued_on,
        due_on=of.due_on,
        currency=of.currency,
        first=first,
        last=last,
        notes=(*notes, *([("BAR", bar)] if bar else [])),
        seller=party_facts(of.seller, taxed=taxed),
        legal_mention=of.seller.legal_mention,
        buyer=party_facts(of.buyer, taxed=taxed),
        buyer_reference=None if of.buyer_reference is None else blanks(of.buyer_reference),
        lines=tuple(
            LineFacts(
                description=blanks(line.description),
                quantity=line.quantity,
                unit=line.unit,
                unit_price=line.unit_price,
                base_quantity=line.base_quantity,
                net=line.net,
                vat_category=line.vat_category,
                vat_rate=line.vat_rate,
                first=days_of(line.period, of.time_zone)[0],
                last=days_of(line.period, of.time_zone)[1],
                attributes=tuple(
                    (name, blanks(value))
                    for name, value in (
                        ("organization", line.organization_name),
                        ("project", line.project_name or line.project),
                        ("model", line.model),
                    )
                    if value is not None
                ),
            )
            for line in of.lines
        ),
        vat=tuple(
            VatFacts(
                category=share.category,
                rate=share.rate,
                base=share.base,
                amount=share.amount,
                exemption_code=share.exemption_code,
                exemption=share.exemption,
            )
            for share in of.vat
        ),
        vat_due=None
        if not any(share.category == "S" for share in of.vat)
        else ("5" if of.vat_on_debits else "72"),
        line_total=of.net,
        net=of.net,
        vat_total=of.vat_total,
        vat_in_euros=None if of.vat_in_euros is None else of.vat_in_euros.amount,
        gross=of.gross,
        paid=of.paid,
        due=of.due,
        preceding=None if of.preceding is None else (of.preceding.number, of.preceding.issued_on),
        payment_terms=of.payment_terms,
        iban=of.bank_iban,
        bic=of.bank_bic,
    )


@settings(deadline=None, max_examples=60)
@given(invoices())
def test_what_was_written_is_read_back(issued: Invoice) -> None:
    facts = parse(cii_xml(issued))
    assert facts == facts_of(issued)
    assert list(findings(facts)) == []


def test_the_same_invoice_is_the_same_bytes() -> None:
    assert cii_xml(invoice()) == cii_xml(invoice())


def test_a_draft_has_no_xml() -> None:
    with pytest.raises(DraftError, match="inv_01"):
        cii_xml(draft(invoice()))


def test_periods_are_days_of_the_organizations_calendar() -> None:
    facts = parse(cii_xml(invoice()))
    assert (facts.first, facts.last) == (date(2026, 3, 1), date(2026, 3, 31))


def test_vat_in_euros_stands_beside_another_currency() -> None:
    facts = parse(cii_xml(in_dollars(invoice())))
    assert (facts.currency, facts.vat_total, facts.vat_in_euros) == (
        "USD",
        Decimal("55.83"),
        Decimal("51.58"),
    )


def test_a_credit_note_names_what_it_corrects() -> None:
    facts = parse(cii_xml(credit_note(invoice())))
    assert (facts.type_code, facts.preceding, facts.gross) == (
        "381",
        ("F2026-000042", date(2026, 4, 2)),
        Decimal("334.99"),
    )


def test_what_is_not_subject_to_vat_shows_no_vat_numbers() -> None:
    facts = parse(cii_xml(invoice(buyer=AMERICAN_BUYER)))
    assert (facts.vat[0].category, facts.seller.vat_number, facts.seller.siren) == ("O", None, SELLER.siren)
    assert parse(cii_xml(invoice(buyer=GERMAN_BUYER))).seller.vat_number == SELLER.vat_number


def test_a_document_that_is_paid_says_so() -> None:
    paid = invoice(paid=Decimal("334.99"))
    assert (parse(cii_xml(paid)).process, parse(cii_xml(paid)).due) == ("S2", Decimal("0.00"))


def test_what_xml_forbids_is_left_out_and_a_long_address_is_kept_whole() -> None:
    address = replace(FRENCH_BUYER.address, lines=("a", "b\x00\x1f", "c", "d"))
    odd = invoice(
        [usage_line(description="\x0bligne\n\nsuite\ufffe", project_name="  ")],
        buyer=replace(FRENCH_BUYER, address=address),
    )
    facts = parse(cii_xml(odd))
    assert facts.buyer.lines == ("a", "b", "c, d")
    assert facts.lines[0].description == "ligne suite"
    assert facts.lines[0].attributes == (("model", "gpt-5"),)
