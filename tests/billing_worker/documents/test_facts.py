import pytest

from billing_worker.documents.cii import cii_xml
from billing_worker.documents.facts import XmlError, parse
from tests.billing_worker.documents.invoices import invoice

ENTITY = b'<!DOCTYPE x [<!ENTITY secret SYSTEM "file:///etc/hostname">]><x>&secret;</x>'


@pytest.mark.parametrize("xml", [b"", b"not XML", b"<x/>", ENTITY])
def test_what_is_no_invoice_is_refused(xml: bytes) -> None:
    with pytest.raises(XmlError):
        parse(xml)


@pytest.mark.parametrize(
    ("right", "wrong", "named"),
    [
        (b"<ram:GrandTotalAmount>334.99<", b"<ram:GrandTotalAmount>NaN<", "is no number: 'NaN'"),
        (b">20260402<", b">20260431<", "is no day: '20260431'"),
        (b"ram:DuePayableAmount", b"ram:Due", "there is no .*DuePayableAmount"),
    ],
)
def test_what_is_wrong_is_named(right: bytes, wrong: bytes, named: str) -> None:
    xml = cii_xml(invoice())
    assert right in xml
    with pytest.raises(XmlError, match=named):
        parse(xml.replace(right, wrong))
