"""What an invoice says once it has left: the facts that its XML holds, read back from it.

They are read without the library that writes the XML, so that the two can contradict each other.
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import cast

from lxml import etree

_NAMESPACES = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
    "qdt": "urn:un:unece:uncefact:data:standard:QualifiedDataType:100",
}
_DOCUMENT = "rsm:ExchangedDocument"
_TRADE = "rsm:SupplyChainTradeTransaction"
_AGREEMENT = f"{_TRADE}/ram:ApplicableHeaderTradeAgreement"
_SETTLEMENT = f"{_TRADE}/ram:ApplicableHeaderTradeSettlement"
_SUMS = f"{_SETTLEMENT}/ram:SpecifiedTradeSettlementHeaderMonetarySummation"
_TRANSFER = f"{_SETTLEMENT}/ram:SpecifiedTradeSettlementPaymentMeans"
_REFERENCE = f"{_SETTLEMENT}/ram:InvoiceReferencedDocument"

_NUMBER = re.compile(r"-?\d+(\.\d+)?")


class XmlError(ValueError):
    """The XML is none, or lacks what every invoice has; the message names what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyFacts:
    name: str
    lines: tuple[str, ...]
    postal_code: str | None
    city: str | None
    country: str
    siren: str | None
    siret: str | None
    vat_number: str | None
    electronic_address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFacts:
    """`first` and `last` day both belong to the line's period. `attributes` are organization, project, model."""

    description: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    base_quantity: Decimal
    net: Decimal
    vat_category: str
    vat_rate: Decimal
    first: date
    last: date
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VatFacts:
    category: str
    rate: Decimal
    base: Decimal
    amount: Decimal
    exemption_code: str | None
    exemption: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceFacts:
    """Of one document; amounts in `currency`. `notes` are pairs of subject code and text."""

    number: str
    type_code: str
    process: str | None
    issued_on: date
    due_on: date | None
    currency: str
    first: date
    last: date
    notes: tuple[tuple[str | None, str], ...]
    seller: PartyFacts
    legal_mention: str | None
    buyer: PartyFacts
    buyer_reference: str | None
    lines: tuple[LineFacts, ...]
    vat: tuple[VatFacts, ...]
    vat_due: str | None
    line_total: Decimal
    net: Decimal
    vat_total: Decimal
    vat_in_euros: Decimal | None
    gross: Decimal
    paid: Decimal
    due: Decimal
    preceding: tuple[str, date] | None
    payment_terms: str | None
    iban: str | None
    bic: str | None


def parse(xml: bytes) -> InvoiceFacts:
    """The facts of one invoice. Raises XmlError where `xml` is not one."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(xml, parser)
    except etree.XMLSyntaxError as error:
        raise XmlError(f"no XML: {error}") from None
    currency = _text(root, f"{_SETTLEMENT}/ram:InvoiceCurrencyCode")
    other_tax = f"{_SUMS}/ram:TaxTotalAmount[@currencyID!='{currency}']"
    preceding = _found(root, f"{_REFERENCE}/ram:IssuerAssignedID")
    return InvoiceFacts(
        number=_text(root, f"{_DOCUMENT}/ram:ID"),
        type_code=_text(root, f"{_DOCUMENT}/ram:TypeCode"),
        process=_found(
            root,
            "rsm:ExchangedDocumentContext/ram:BusinessProcessSpecifiedDocumentContextParameter/ram:ID",
        ),
        issued_on=_day(root, f"{_DOCUMENT}/ram:IssueDateTime/udt:DateTimeString"),
        due_on=_day_found(
            root, f"{_SETTLEMENT}/ram:SpecifiedTradePaymentTerms/ram:DueDateDateTime/udt:DateTimeString"
        ),
        currency=currency,
        first=_day(root, f"{_SETTLEMENT}/{_period('Start')}"),
        last=_day(root, f"{_SETTLEMENT}/{_period('End')}"),
        notes=tuple(
            (_found(note, "ram:SubjectCode"), _text(note, "ram:Content"))
            for note in _nodes(root, f"{_DOCUMENT}/ram:IncludedNote")
        ),
        seller=_party(_node(root, f"{_AGREEMENT}/ram:SellerTradeParty")),
        legal_mention=_found(root, f"{_AGREEMENT}/ram:SellerTradeParty/ram:Description"),
        buyer=_party(_node(root, f"{_AGREEMENT}/ram:BuyerTradeParty")),
        buyer_reference=_found(root, f"{_AGREEMENT}/ram:BuyerReference"),
        lines=tuple(_line(node) for node in _nodes(root, f"{_TRADE}/ram:IncludedSupplyChainTradeLineItem")),
        vat=tuple(_vat(node) for node in _nodes(root, f"{_SETTLEMENT}/ram:ApplicableTradeTax")),
        vat_due=_found(root, f"{_SETTLEMENT}/ram:ApplicableTradeTax/ram:DueDateTypeCode"),
        line_total=_decimal(root, f"{_SUMS}/ram:LineTotalAmount"),
        net=_decimal(root, f"{_SUMS}/ram:TaxBasisTotalAmount"),
        vat_total=_decimal(root, f"{_SUMS}/ram:TaxTotalAmount[@currencyID='{currency}']"),
        vat_in_euros=_decimal(root, other_tax) if _nodes(root, other_tax) else None,
        gross=_decimal(root, f"{_SUMS}/ram:GrandTotalAmount"),
        paid=_decimal(root, f"{_SUMS}/ram:TotalPrepaidAmount", "0.00"),
        due=_decimal(root, f"{_SUMS}/ram:DuePayableAmount"),
        preceding=None
        if preceding is None
        else (preceding, _day(root, f"{_REFERENCE}/ram:FormattedIssueDateTime/qdt:DateTimeString")),
        payment_terms=_found(root, f"{_SETTLEMENT}/ram:SpecifiedTradePaymentTerms/ram:Description"),
        iban=_found(root, f"{_TRANSFER}/ram:PayeePartyCreditorFinancialAccount/ram:IBANID"),
        bic=_found(root, f"{_TRANSFER}/ram:PayeeSpecifiedCreditorFinancialInstitution/ram:BICID"),
    )


def _party(node: etree._Element) -> PartyFacts:
    address = "ram:PostalTradeAddress"
    lines = (_found(node, f"{address}/ram:{name}") for name in ("LineOne", "LineTwo", "LineThree"))
    return PartyFacts(
        name=_text(node, "ram:Name"),
        lines=tuple(line for line in lines if line is not None),
        postal_code=_found(node, f"{address}/ram:PostcodeCode"),
        city=_found(node, f"{address}/ram:CityName"),
        country=_text(node, f"{address}/ram:CountryID"),
        siren=_found(node, "ram:SpecifiedLegalOrganization/ram:ID[@schemeID='0002']"),
        siret=_found(node, "ram:GlobalID[@schemeID='0009']"),
        vat_number=_found(node, "ram:SpecifiedTaxRegistration/ram:ID[@schemeID='VA']"),
        electronic_address=_found(node, "ram:URIUniversalCommunication/ram:URIID"),
    )


def _line(node: etree._Element) -> LineFacts:
    price = "ram:SpecifiedLineTradeAgreement/ram:NetPriceProductTradePrice"
    settlement = "ram:SpecifiedLineTradeSettlement"
    quantity = "ram:SpecifiedLineTradeDelivery/ram:BilledQuantity"
    return LineFacts(
        description=_text(node, "ram:SpecifiedTradeProduct/ram:Name"),
        quantity=_decimal(node, quantity),
        unit=_node(node, quantity).get("unitCode", ""),
        unit_price=_decimal(node, f"{price}/ram:ChargeAmount"),
        base_quantity=_decimal(node, f"{price}/ram:BasisQuantity", "1"),
        net=_decimal(
            node, f"{settlement}/ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount"
        ),
        vat_category=_text(node, f"{settlement}/ram:ApplicableTradeTax/ram:CategoryCode"),
        vat_rate=_decimal(node, f"{settlement}/ram:ApplicableTradeTax/ram:RateApplicablePercent", "0"),
        first=_day(node, f"{settlement}/{_period('Start')}"),
        last=_day(node, f"{settlement}/{_period('End')}"),
        attributes=tuple(
            (_text(attribute, "ram:Description"), _text(attribute, "ram:Value"))
            for attribute in _nodes(node, "ram:SpecifiedTradeProduct/ram:ApplicableProductCharacteristic")
        ),
    )


def _vat(node: etree._Element) -> VatFacts:
    return VatFacts(
        category=_text(node, "ram:CategoryCode"),
        rate=_decimal(node, "ram:RateApplicablePercent", "0"),
        base=_decimal(node, "ram:BasisAmount"),
        amount=_decimal(node, "ram:CalculatedAmount"),
        exemption_code=_found(node, "ram:ExemptionReasonCode"),
        exemption=_found(node, "ram:ExemptionReason"),
    )


def _period(edge: str) -> str:
    return f"ram:BillingSpecifiedPeriod/ram:{edge}DateTime/udt:DateTimeString"


def _nodes(node: etree._Element, path: str) -> list[etree._Element]:
    return cast(list[etree._Element], node.xpath(path, namespaces=_NAMESPACES))


def _node(node: etree._Element, path: str) -> etree._Element:
    found = _nodes(node, path)
    if not found:
        raise XmlError(f"there is no {path}")
    return found[0]


def _text(node: etree._Element, path: str) -> str:
    return _node(node, path).text or ""


def _found(node: etree._Element, path: str) -> str | None:
    return _text(node, path) if _nodes(node, path) else None


def _decimal(node: etree._Element, path: str, default: str | None = None) -> Decimal:
    if default is not None and not _nodes(node, path):
        return Decimal(default)
    written = _text(node, path)
    if not _NUMBER.fullmatch(written):
        raise XmlError(f"{path} is no number: '{written}'")
    return Decimal(written)


def _day(node: etree._Element, path: str) -> date:
    written = _text(node, path)
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise XmlError(f"{path} is no day: '{written}'") from None


def _day_found(node: etree._Element, path: str) -> date | None:
    return _day(node, path) if _nodes(node, path) else None
