"""Invoices for tests: one of every kind, and all that Hypothesis can think of."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from billing_worker.documents.mentions import mentions
from billing_worker.documents.vat_treatment import VatTreatment, vat_treatment
from ledger.invoice import (
    Address,
    Invoice,
    InvoiceLine,
    Language,
    LineKind,
    Mention,
    Party,
    Preceding,
    VatInEuros,
)
from ledger.invoice_totals import line_net, totals
from ledger.periods import Period, month_of

PARIS = "Europe/Paris"
MARCH = month_of(datetime(2026, 3, 15, tzinfo=UTC), PARIS)

SELLER = Party(
    name="Péage Numérique SAS",
    address=Address(lines=("12 rue de la Bourse",), postal_code="75002", city="Paris", country="FR"),
    siren="732829320",
    siret="73282932000074",
    vat_number="FR44732829320",
    email="facturation@peage.example",
    legal_mention="SAS au capital de 50 000 € – RCS Paris 732 829 320",
)
FRENCH_BUYER = Party(
    name="Société Générale d'Essais",
    address=Address(lines=("4 avenue Foch", "Bâtiment C"), postal_code="69006", city="Lyon", country="FR"),
    siren="552100554",
    siret="55210055400013",
    vat_number="FR16552100554",
    email="compta@essais.example",
)
GERMAN_BUYER = Party(
    name="Prüfstand GmbH",
    address=Address(lines=("Torstraße 1",), postal_code="10119", city="Berlin", country="DE"),
    vat_number="DE136695976",
    email="rechnung@pruefstand.example",
)
AMERICAN_BUYER = Party(
    name="Testbed Inc.",
    address=Address(
        lines=("500 Howard St", "Suite 300"), postal_code="94105", city="San Francisco", country="US"
    ),
    email="ap@testbed.example",
)


def usage_line(**changes: Any) -> InvoiceLine:
    return replace(
        InvoiceLine(
            kind="usage",
            description="gpt-5, jetons d'entrée",
            quantity=Decimal(54_660_125),
            unit="C62",
            unit_price=Decimal("1.25"),
            base_quantity=Decimal(1_000_000),
            net=Decimal("68.33"),
            vat_category="S",
            vat_rate=Decimal(20),
            period=MARCH,
            organization_id="org_essais",
            project="proj_1",
            project_name="Assistant",
            model="gpt-5",
        ),
        **changes,
    )


def fee_line(kind: LineKind, description: str, price: str, **changes: Any) -> InvoiceLine:
    """`kind` at `price` once; a credit where the price is negative."""
    amount = Decimal(price)
    return usage_line(
        kind=kind,
        description=description,
        quantity=Decimal(1) if amount >= 0 else Decimal(-1),
        unit_price=abs(amount),
        base_quantity=Decimal(1),
        net=amount,
        project=None,
        project_name=None,
        model=None,
        **changes,
    )


def usual_lines() -> tuple[InvoiceLine, ...]:
    return (
        fee_line("subscription", "Formule Pro, mars 2026", "85.00", unit="MON"),
        usage_line(),
        usage_line(
            description="gpt-5, jetons de sortie", quantity=Decimal(6_833_000), unit_price=Decimal(10)
        ),
        fee_line("requests", "Recherches sur le web", "57.50"),
    )


def invoice(
    lines: Sequence[InvoiceLine] | None = None,
    *,
    buyer: Party = FRENCH_BUYER,
    language: Language = "fr",
    treatment: VatTreatment | None = None,
    **changes: Any,
) -> Invoice:
    """Issued by SELLER for March 2026, taxed as the law has it unless `treatment` says otherwise."""
    treatment = treatment or vat_treatment(
        SELLER.address.country,
        buyer.address.country,
        language,
        buyer_vat_number_confirmed=buyer.vat_number is not None,
    )
    taxed = tuple(
        replace(line, vat_category=treatment.category, vat_rate=treatment.rate)
        for line in lines or usual_lines()
    )
    sums = totals(taxed, treatment.exemptions)
    issued = Invoice(
        id="inv_01",
        kind="invoice",
        status="sent",
        number="F2026-000042",
        language=language,
        currency="EUR",
        period=MARCH,
        issued_on=date(2026, 4, 2),
        due_on=date(2026, 5, 2),
        seller=SELLER,
        buyer=buyer,
        lines=taxed,
        vat=sums.vat,
        net=sums.net,
        vat_total=sums.vat_total,
        gross=sums.gross,
        paid=Decimal("0.00"),
        mentions=mentions(language),
        payment_terms="Paiement à 30 jours" if language == "fr" else "Payment within 30 days",
        time_zone=PARIS,
        bank_iban="FR7630006000011234567890189",
        bank_bic="AGRIFRPP",
    )
    return replace(issued, **changes)


def in_dollars(base: Invoice) -> Invoice:
    """The same in USD, at 1.0823 USD per euro."""
    per_euro = Decimal("1.0823")
    return replace(
        base,
        currency="USD",
        vat_in_euros=VatInEuros(
            amount=line_net(base.vat_total, Decimal(1), per_euro),
            per_euro=per_euro,
            day=date(2026, 3, 31),
            source="BCE",
        ),
    )


def credit_note(base: Invoice) -> Invoice:
    """Of all of `base`."""
    assert base.number is not None
    assert base.issued_on is not None
    return replace(
        base,
        kind="credit_note",
        number="A2026-000003",
        due_on=None,
        preceding=Preceding(number=base.number, issued_on=base.issued_on),
        issued_on=date(2026, 4, 9),
    )


def draft(base: Invoice) -> Invoice:
    return replace(base, status="draft", number=None, issued_on=None, due_on=None)


_TEXTS = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=40
).filter(lambda text: text.strip() != "")
_LANGUAGES: st.SearchStrategy[Language] = st.sampled_from(("fr", "en"))
_BUYERS = st.sampled_from([FRENCH_BUYER, GERMAN_BUYER, AMERICAN_BUYER])


@st.composite
def _lines(draw: st.DrawFn) -> InvoiceLine:
    base = draw(st.sampled_from([Decimal(1), Decimal(1000), Decimal(1_000_000)]))
    # Up to a billion a line: the schematrons themselves reckon in floating point.
    quantity = draw(
        st.decimals(-1000 * base, 1_000_000 * base, places=draw(st.sampled_from([0, 4]))).filter(bool)
    )
    price = draw(st.decimals(0, 1000, places=draw(st.sampled_from([2, 6]))))
    start = MARCH.start + timedelta(hours=draw(st.integers(0, 700)))
    return usage_line(
        description=draw(_TEXTS),
        quantity=quantity,
        unit=draw(st.sampled_from(["C62", "MON", "HUR"])),
        unit_price=price,
        base_quantity=base,
        net=line_net(quantity, price, base),
        period=Period(start, start + timedelta(hours=draw(st.integers(1, 40)))),
        project=draw(st.none() | _TEXTS),
        project_name=draw(st.none() | _TEXTS),
        model=draw(st.sampled_from([None, "gpt-5", "o4-mini"])),
        organization_name=draw(st.none() | _TEXTS),
    )


@st.composite
def invoices(draw: st.DrawFn) -> Invoice:
    """Any invoice or credit note that has been issued."""
    buyer, language = draw(_BUYERS), draw(_LANGUAGES)
    rate = draw(st.sampled_from([Decimal(20), Decimal("5.5"), Decimal("2.1")]))
    treatment = vat_treatment(
        "FR",
        buyer.address.country,
        language,
        buyer_vat_number_confirmed=buyer.vat_number is not None,
        franchise=draw(st.booleans()),
        rate=rate,
    )
    found = invoice(
        draw(st.lists(_lines(), min_size=1, max_size=6)),
        buyer=replace(buyer, name=draw(_TEXTS)),
        language=language,
        treatment=treatment,
        buyer_reference=draw(st.none() | _TEXTS),
        vat_on_debits=draw(st.booleans()),
    )
    extra = draw(st.lists(_TEXTS.map(Mention), max_size=2))
    found = replace(found, mentions=(*found.mentions, *extra))
    if draw(st.booleans()):
        found = in_dollars(found)
    return credit_note(found) if draw(st.booleans()) else found
