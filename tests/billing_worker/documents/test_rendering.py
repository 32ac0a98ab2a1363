import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO

import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image

from billing_worker.documents.appendix import UsageOfDay
from billing_worker.documents.facts import InvoiceFacts, parse
from billing_worker.documents.rendering import render
from billing_worker.documents.typesetting import TypesettingError
from ledger.invoice import Invoice, Language
from ledger.invoice_totals import line_net
from ledger.periods import month_of
from tests.billing_worker.documents.invoices import (
    AMERICAN_BUYER,
    FRENCH_BUYER,
    GERMAN_BUYER,
    PARIS,
    credit_note,
    draft,
    fee_line,
    in_dollars,
    invoice,
    invoices,
    usage_line,
    usual_lines,
)
from tests.billing_worker.documents.pages import differs, pictures, texts

AMOUNT = {
    "fr": re.compile(r"-?\d{1,3}(?: \d{3})*,\d\d(?!\d)"),
    "en": re.compile(r"-?\d{1,3}(?:,\d{3})*\.\d\d(?!\d)"),
}


def written(amount: Decimal, language: Language) -> str:
    english = f"{amount:,.2f}"
    return english if language == "en" else english.replace(",", " ").replace(".", ",")


def amounts(facts: InvoiceFacts) -> Counter[Decimal]:
    """Every amount that the XML states, as often as it does."""
    stated = [line.net for line in facts.lines]
    stated += [amount for share in facts.vat for amount in (share.base, share.amount)]
    stated += [facts.net, facts.vat_total, facts.gross]
    if facts.vat_in_euros is not None:
        stated.append(facts.vat_in_euros)
    return Counter(stated)


def many_lines() -> Invoice:
    quantities = [Decimal(1_000_000 * number + 7) for number in range(300)]
    return invoice(
        [
            usage_line(
                description=f"gpt-5, lot n° {number}",
                project=f"proj_{number // 100}",
                project_name=("Assistant", "Recherche", "Traduction")[number // 100],
                quantity=quantity,
                net=line_net(quantity, Decimal("1.25"), Decimal(1_000_000)),
            )
            for number, quantity in enumerate(quantities)
        ]
    )


def consolidated() -> Invoice:
    return invoice(
        [
            replace(line, organization_id=organization, organization_name=name)
            for organization, name in (("a", "Filiale Nord"), ("b", "Filiale Sud"))
            for line in usual_lines()
        ]
    )


def logo() -> bytes:
    picture = BytesIO()
    Image.new("RGB", (240, 80), (31, 58, 95)).save(picture, "PNG")
    return picture.getvalue()


def usage_of_days(days: int) -> list[UsageOfDay]:
    return [
        UsageOfDay(
            day=date(2026, 3, day + 1),
            model="gpt-5",
            project="Assistant",
            requests=day * 7,
            tokens=day * 12_345,
            amount=Decimal(day) * Decimal("0.0153"),
        )
        for day in range(days)
    ]


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(invoices())
def test_every_amount_of_the_xml_is_printed(issued: Invoice) -> None:
    document = render(issued)
    assert document.xml is not None
    text = " ".join(texts(document.pdf)).replace("\r\n", " ")
    printed = Counter(AMOUNT[issued.language].findall(text))
    for amount, times in amounts(parse(document.xml)).items():
        assert printed[written(amount, issued.language)] >= times, (amount, text)
    assert issued.number is not None
    assert issued.number in text


def test_the_same_invoice_is_the_same_bytes() -> None:
    issued, picture, days = consolidated(), logo(), usage_of_days(31)
    assert render(issued, logo=picture, appendix=days) == render(issued, logo=picture, appendix=days)


def test_a_pdf_says_when_it_was_issued_and_by_whom() -> None:
    with pikepdf.open(BytesIO(render(invoice()).pdf)) as pdf:
        assert str(pdf.docinfo["/Title"]) == "Facture F2026-000042"
        assert str(pdf.docinfo["/Author"]) == "Péage Numérique SAS"
        assert str(pdf.docinfo["/CreationDate"]).startswith("D:20260402")
        assert str(pdf.Root.Lang) == "fr"


@pytest.mark.parametrize(
    ("issued", "said"),
    [
        (
            invoice(),
            [
                "Facture",
                "2 avril 2026",
                "du 1er au 31 mars 2026",
                "SIRET 55210055400013",
                "N° TVA FR44732829320",
                "RCS Paris 732 829 320",
                "Indemnité forfaitaire pour frais de recouvrement en cas de retard de paiement : 40 €.",
                "Pas d'escompte",
                "prestation de services",
                "FR76 3000 6000 0112 3456 7890 189",
                "1,25 / 1 000 000",
            ],
        ),
        (
            in_dollars(invoice(language="en")),
            [
                "Invoice",
                "2 April 2026",
                "USD 334.99",
                "VAT in euros: EUR 51.58 (EUR 1 = USD 1.0823, BCE, 31 March",
            ],
        ),
        (invoice(buyer=GERMAN_BUYER), ["Autoliquidation", "Allemagne", "N° TVA DE136695976", "279,16 EUR"]),
        (invoice(buyer=AMERICAN_BUYER, language="en"), ["Not subject to French VAT", "United States"]),
        (
            credit_note(invoice()),
            ["Avoir", "Corrige la facture", "F2026-000042 du 2 avril 2026", "à votre crédit"],
        ),
        (invoice(paid=Decimal("100.00")), ["Déjà payé", "100,00 EUR", "234,99 EUR"]),
        (consolidated(), ["Filiale Nord", "Sous-total Filiale Nord", "Sous-total Filiale Sud", "669,98 EUR"]),
    ],
)
def test_what_must_be_said_is_printed(issued: Invoice, said: list[str]) -> None:
    text = " ".join(" ".join(texts(render(issued).pdf)).split())
    assert [words for words in said if words not in text] == []


def test_a_late_line_is_printed_with_its_own_dates() -> None:
    february = month_of(datetime(2026, 2, 15, tzinfo=UTC), PARIS)
    (text,) = texts(render(invoice([usage_line(period=february), usage_line()])).pdf)
    assert text.count("du 1er au 28 février 2026") == 1


def test_a_draft_is_marked_and_asks_for_nothing() -> None:
    document = render(draft(invoice()))
    (text,) = texts(document.pdf)
    assert document.xml is None
    assert "BROUILLON" in text
    assert "IBAN" not in text
    with pikepdf.open(BytesIO(document.pdf)) as pdf:
        assert not pdf.attachments


def test_sums_are_carried_over_page_breaks() -> None:
    issued = many_lines()
    pages = [" ".join(page.split()) for page in texts(render(issued).pdf)]
    assert len(pages) > 6
    running = Decimal(0)
    nets = iter(line.net for line in issued.lines)
    for number, page in enumerate(pages):
        rows = page.count("lot n°")
        if number and rows:
            assert f"Report {written(running, 'fr')}" in page
        running += sum(next(nets) for _ in range(rows))
        if rows and running != issued.net:
            assert f"À reporter {written(running, 'fr')}" in page
        if rows:
            assert "Désignation" in page
        assert f"Page {number + 1} / {len(pages)}" in page
    assert running == issued.net
    assert "À reporter" not in pages[-1]


def test_an_appendix_has_a_row_for_each_day() -> None:
    pages = texts(render(invoice(), appendix=usage_of_days(31)).pdf)
    assert sum(page.count("/03/2026") for page in pages[1:]) == 31
    assert "0,4590" in pages[-1]


def test_xml_that_was_sent_stays_what_it_was() -> None:
    document = render(invoice(), appendix=usage_of_days(3), sent=b"<sent/>")
    assert document.xml == b"<sent/>"
    with pikepdf.open(BytesIO(document.pdf)) as pdf:
        assert pdf.attachments["factur-x.xml"].get_file().read_bytes() == b"<sent/>"


def test_what_the_font_lacks_stops_no_invoice() -> None:
    odd = invoice([usage_line(description="🚀 字 e\u0301 ﬁn")], buyer=replace(FRENCH_BUYER, name="株式会社"))
    document = render(odd)
    (text,) = texts(document.pdf)
    assert document.xml is not None
    assert "◊ ◊ é fin" in text
    assert parse(document.xml).buyer.name == "株式会社"


def test_a_text_too_long_for_a_page_is_cut_in_print_alone() -> None:
    document = render(
        invoice(
            [usage_line(description="lorem ipsum " * 400), usage_line(project="y", project_name="y" * 2000)]
        )
    )
    assert document.xml is not None
    assert "…" in texts(document.pdf)[0]
    assert len(texts(document.pdf)) == 2
    assert len(parse(document.xml).lines[0].description) > 4000


def test_a_logo_that_is_no_picture_is_said_to_be_one() -> None:
    with pytest.raises(TypesettingError, match=r"invoice\.typ: .*image"):
        render(invoice(), logo=b"not a picture")


def test_a_logo_may_be_drawn() -> None:
    drawn = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 3"><rect width="9" height="3" fill="#123"/></svg>'
    assert render(invoice(), logo=drawn).pdf != render(invoice()).pdf


PICTURED: dict[str, tuple[Invoice, dict[str, bytes]]] = {
    "french": (invoice(), {}),
    "dollars": (in_dollars(invoice(language="en")), {}),
    "reverse-charge": (invoice(buyer=GERMAN_BUYER, language="en"), {}),
    "credit-note": (credit_note(invoice([fee_line("adjustment", "Geste commercial", "12.50")])), {}),
    "draft": (draft(invoice()), {}),
    "consolidated": (consolidated(), {"logo": logo()}),
}


@pytest.mark.parametrize("name", PICTURED)
def test_a_page_looks_as_it_did(name: str) -> None:
    issued, extras = PICTURED[name]
    first = pictures(render(issued, logo=extras.get("logo")).pdf)[0]
    assert not differs(first, name)


def test_a_total_in_white_would_be_seen() -> None:
    first = pictures(render(invoice()).pdf)[0]
    # Where the gross amount stands.
    first.paste(238, (340, 343, 378, 353))
    assert differs(first, "french")
