"""Is a PDF the Factur-X that it should be? What can be seen in its structure; the rest Typst vouches for."""

from collections.abc import Iterator
from io import BytesIO

import pikepdf
from lxml import etree

from billing_worker.documents.cii import FILE_NAME
from billing_worker.documents.document import Document
from billing_worker.documents.factur_x import CONFORMANCE, NAMESPACE
from billing_worker.documents.finding import Finding

_PDFA = "http://www.aiim.org/pdfa/ns/id/"


def findings(document: Document) -> Iterator[Finding]:
    """Everything that is missing: PDF/A-3b's marks, the XML inside, and that both are declared."""
    try:
        with pikepdf.open(BytesIO(document.pdf)) as pdf:
            yield from _archivable(pdf)
            yield from _attached(pdf, document.xml)
            yield from _declared(pdf)
    except pikepdf.PdfError as error:
        yield _finding("PDF", f"no PDF: {error}")


def _archivable(pdf: pikepdf.Pdf) -> Iterator[Finding]:
    intents = pdf.Root.get("/OutputIntents")
    if intents is None or not any(intent.get("/S") == "/GTS_PDFA1" for intent in intents.as_list()):
        yield _finding("PDFA-INTENT", "there is no output intent of PDF/A")
    if pdf.is_encrypted:
        yield _finding("PDFA-ENCRYPTED", "it is encrypted")
    if "/ID" not in pdf.trailer:
        yield _finding("PDFA-ID", "it has no id")
    for page in pdf.pages:
        for name, font in page.resources.get("/Font", pikepdf.Dictionary()).items():
            if not _is_embedded(font):
                yield _finding("PDFA-FONT", f"the font {name} is not embedded")


def _is_embedded(font: pikepdf.Object) -> bool:
    described = font.get("/DescendantFonts", pikepdf.Array([font]))
    return all(
        any(f"/FontFile{kind}" in one.get("/FontDescriptor", {}) for kind in ("", "2", "3"))
        for one in described.as_list()
    )


def _attached(pdf: pikepdf.Pdf, xml: bytes | None) -> Iterator[Finding]:
    files = [one for one in pdf.Root.get("/AF", pikepdf.Array()).as_list() if one.get("/UF") == FILE_NAME]
    if len(files) != 1:
        yield _finding("FX-FILE", f"{FILE_NAME} is attached {len(files)} times")
        return
    (file,) = files
    if file.get("/AFRelationship") not in ("/Alternative", "/Data"):
        yield _finding("FX-RELATIONSHIP", f"{FILE_NAME} is not said to be an alternative")
    embedded = file.EF.F
    if embedded.get("/Subtype") != "/text/xml":
        yield _finding("FX-TYPE", f"{FILE_NAME} is not said to be XML")
    if embedded.read_bytes() != xml:
        yield _finding("FX-SAME", f"the {FILE_NAME} inside is not the document's")
    if FILE_NAME not in pdf.attachments:
        yield _finding("FX-NAME", f"{FILE_NAME} cannot be found by its name")


def _declared(pdf: pikepdf.Pdf) -> Iterator[Finding]:
    metadata = pdf.Root.get("/Metadata")
    if metadata is None:
        yield _finding("XMP", "there is no metadata")
        return
    try:
        root = etree.fromstring(
            metadata.read_bytes(), etree.XMLParser(resolve_entities=False, no_network=True)
        )
    except etree.XMLSyntaxError as error:
        yield _finding("XMP", f"metadata is no XML: {error}")
        return
    for namespace, name, value in (
        (_PDFA, "part", "3"),
        (_PDFA, "conformance", "B"),
        (NAMESPACE, "DocumentFileName", FILE_NAME),
        (NAMESPACE, "DocumentType", "INVOICE"),
        (NAMESPACE, "Version", "1.0"),
        (NAMESPACE, "ConformanceLevel", CONFORMANCE),
    ):
        said = [node.text for node in root.iter(f"{{{namespace}}}{name}")]
        if said != [value]:
            yield _finding("XMP", f"metadata says {name} is {said}, and should be {value}")


def _finding(rule: str, message: str) -> Finding:
    return Finding("pdf", rule, message)
