from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import pikepdf
import pytest

from billing_worker.documents.document import Document
from billing_worker.documents.pdf_structure import findings
from billing_worker.documents.rendering import render
from tests.billing_worker.documents.invoices import draft, invoice


def rules(document: Document) -> set[str]:
    return {finding.rule for finding in findings(document)}


def changed(change: Callable[[pikepdf.Pdf], object]) -> Document:
    document = render(invoice())
    saved = BytesIO()
    with pikepdf.open(BytesIO(document.pdf)) as pdf:
        change(pdf)
        pdf.save(saved)
    return replace(document, pdf=saved.getvalue())


def without_metadata(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.Metadata


def other_profile(pdf: pikepdf.Pdf) -> None:
    pdf.Root.Metadata.write(pdf.Root.Metadata.read_bytes().replace(b"EN 16931", b"EXTENDED"))


def without_intent(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.OutputIntents


def without_attachment(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.AF


def other_relationship(pdf: pikepdf.Pdf) -> None:
    pdf.Root.AF[0].AFRelationship = pikepdf.Name.Source


def without_font(pdf: pikepdf.Pdf) -> None:
    for font in pdf.pages[0].Resources.Font.values():
        for descendant in font.DescendantFonts.as_list():
            for kind in ("/FontFile", "/FontFile2", "/FontFile3"):
                if kind in descendant.FontDescriptor:
                    del descendant.FontDescriptor[kind]


def test_what_was_rendered_has_all_that_it_needs() -> None:
    assert rules(render(invoice())) == set()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (without_metadata, {"XMP"}),
        (other_profile, {"XMP"}),
        (without_intent, {"PDFA-INTENT"}),
        (without_attachment, {"FX-FILE"}),
        (other_relationship, {"FX-RELATIONSHIP"}),
        (without_font, {"PDFA-FONT"}),
    ],
)
def test_what_is_missing_is_found(change: Callable[[pikepdf.Pdf], object], found: set[str]) -> None:
    assert rules(changed(change)) == found


def test_xml_that_is_not_that_inside_is_found() -> None:
    document = render(invoice())
    assert document.xml is not None
    assert rules(replace(document, xml=document.xml.replace(b"334.99", b"334.98"))) == {"FX-SAME"}


def test_a_drafts_pdf_holds_no_invoice() -> None:
    assert {"FX-FILE", "XMP"} == rules(render(draft(invoice())))


def test_what_is_no_pdf_is_found() -> None:
    assert rules(Document(pdf=b"no PDF", xml=b"<x/>")) == {"PDF"}
