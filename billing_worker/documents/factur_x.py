"""What makes a PDF with XML inside a Factur-X: its metadata, which Typst cannot write."""

from io import BytesIO

import pikepdf
from lxml import etree

from billing_worker.documents.cii import FILE_NAME

NAMESPACE = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
CONFORMANCE = "EN 16931"

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_EXTENSION = "http://www.aiim.org/pdfa/ns/extension/"
_SCHEMA = "http://www.aiim.org/pdfa/ns/schema#"
_PROPERTY = "http://www.aiim.org/pdfa/ns/property#"

_PROPERTIES = {
    "DocumentFileName": (FILE_NAME, "Name of the embedded XML invoice"),
    "DocumentType": ("INVOICE", "INVOICE"),
    "Version": ("1.0", "Version of the standard that the XML follows"),
    "ConformanceLevel": (CONFORMANCE, "Profile of the XML"),
}


def as_factur_x(pdf: bytes) -> bytes:
    """`pdf`, which holds the XML, declared as Factur-X of profile EN 16931; deterministic."""
    with pikepdf.open(BytesIO(pdf)) as opened:
        opened.Root.Metadata.write(_declared(opened.Root.Metadata.read_bytes()))
        declared = BytesIO()
        opened.save(declared, deterministic_id=True, linearize=False)
        return declared.getvalue()


def _declared(xmp: bytes) -> bytes:
    """`xmp` with our properties, and the extension schema by which PDF/A allows them."""
    root = etree.fromstring(xmp, etree.XMLParser(resolve_entities=False, no_network=True))
    (schemas,) = root.iterfind(f".//{{{_EXTENSION}}}schemas/{{{_RDF}}}Bag")
    (rdf,) = root.iterfind(f".//{{{_RDF}}}RDF")
    schemas.append(_extension())
    description = etree.SubElement(rdf, f"{{{_RDF}}}Description", nsmap={"fx": NAMESPACE})
    description.set(f"{{{_RDF}}}about", "")
    for name, (value, _) in _PROPERTIES.items():
        etree.SubElement(description, f"{{{NAMESPACE}}}{name}").text = value
    # The packet's marks are instructions beside the root, which a tree keeps.
    return etree.tostring(root.getroottree(), encoding="utf-8")


def _extension() -> etree._Element:
    schema = etree.Element(f"{{{_RDF}}}li")
    _resource(
        schema,
        _SCHEMA,
        {"schema": "Factur-X PDFA Extension Schema", "namespaceURI": NAMESPACE, "prefix": "fx"},
    )
    properties = etree.SubElement(etree.SubElement(schema, f"{{{_SCHEMA}}}property"), f"{{{_RDF}}}Seq")
    for name, (_, meaning) in _PROPERTIES.items():
        stated = {"name": name, "valueType": "Text", "category": "external", "description": meaning}
        _resource(etree.SubElement(properties, f"{{{_RDF}}}li"), _PROPERTY, stated)
    return schema


def _resource(node: etree._Element, namespace: str, stated: dict[str, str]) -> None:
    node.set(f"{{{_RDF}}}parseType", "Resource")
    for name, value in stated.items():
        etree.SubElement(node, f"{{{namespace}}}{name}").text = value
