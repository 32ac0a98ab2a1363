"""The lines of a credit note: of what was invoiced, what is given back. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from ledger.errors import BadReferenceError, ConflictError, LedgerError
from ledger.invoice import Invoice, InvoiceLine, Language, VatCategory, VatShare
from ledger.invoice_totals import ZERO, vat_amount

Rate = tuple[VatCategory, Decimal]

_ONE = Decimal(1)
_TEXT: dict[Language, str] = {"en": "Credit on invoice {number}", "fr": "Avoir sur la facture {number}"}
_REST: dict[Language, str] = {
    "en": "Rest of invoice {number}, after earlier credits",
    "fr": "Solde de la facture {number}, après avoirs précédents",
}


class LineCredit(NamedTuple):
    """`place` counts from 1, as lines stand on the invoice; `net` None gives back all of it."""

    place: int
    net: Decimal | None = None


def left(invoice: Invoice, credited: Sequence[VatShare]) -> dict[Rate, VatShare]:
    """By category and rate, what of the invoice was not given back yet."""
    rest = {(share.category, share.rate): share for share in invoice.vat}
    for share in credited:
        present = rest[share.category, share.rate]
        rest[share.category, share.rate] = replace(
            present, base=present.base - share.base, amount=present.amount - share.amount
        )
    return rest


def whole(invoice: Invoice, credited: Sequence[VatShare]) -> tuple[InvoiceLine, ...]:
    """All that was not given back yet: the invoice's own lines, or one for each rate where some was."""
    if not credited:
        return invoice.lines
    return tuple(
        _line(invoice, share, share.base, _REST[invoice.language].format(number=invoice.number))
        for share in left(invoice, credited).values()
        if share.base
    )


def of_lines(invoice: Invoice, wanted: Sequence[LineCredit]) -> tuple[InvoiceLine, ...]:
    """Raises BadReferenceError for a line that is not there or comes twice, LedgerError for more than it has."""
    places = [each.place for each in wanted]
    if len(set(places)) < len(places):
        raise BadReferenceError("names a line twice", "lines")
    return tuple(_of_line(invoice, each) for each in wanted)


def _of_line(invoice: Invoice, wanted: LineCredit) -> InvoiceLine:
    if not 1 <= wanted.place <= len(invoice.lines):
        raise BadReferenceError(f"the invoice has no line {wanted.place}", "lines")
    line = invoice.lines[wanted.place - 1]
    if wanted.net is None:
        return line
    if not 0 < wanted.net <= line.net:
        raise LedgerError(f"line {wanted.place} has {line.net} to give back", "lines")
    return replace(line, quantity=_ONE, unit="C62", unit_price=wanted.net, base_quantity=_ONE, net=wanted.net)


def of_amount(invoice: Invoice, net: Decimal, rate: Decimal | None) -> tuple[InvoiceLine, ...]:
    """One line of `net`, at the invoice's only rate of VAT or at `rate`. Raises LedgerError where that is not clear."""
    shares = [share for share in invoice.vat if rate is None or share.rate == rate]
    if len(shares) != 1:
        rates = ", ".join(f"{share.rate:f}" for share in invoice.vat)
        raise LedgerError(f"must be one of the invoice's rates: {rates}", "vat_rate")
    return (_line(invoice, shares[0], net, _TEXT[invoice.language].format(number=invoice.number)),)


def _line(invoice: Invoice, share: VatShare, net: Decimal, text: str) -> InvoiceLine:
    return InvoiceLine(
        kind="adjustment",
        description=text,
        quantity=_ONE if net >= 0 else -_ONE,
        unit="C62",
        unit_price=abs(net),
        base_quantity=_ONE,
        net=net,
        vat_category=share.category,
        vat_rate=share.rate,
        period=invoice.period,
        organization_id=invoice.lines[0].organization_id,
    )


def shares(
    invoice: Invoice, credited: Sequence[VatShare], lines: Sequence[InvoiceLine]
) -> tuple[VatShare, ...]:
    """VAT of a credit note with these lines: that of all credits so far, rounded once, less what they gave back of it.

    So several credit notes never come to another VAT than the invoice, though one may be a cent off by itself. Raises
    ConflictError for more than is left.
    """
    rest = left(invoice, credited)
    billed = {(share.category, share.rate): share for share in invoice.vat}
    bases: dict[Rate, Decimal] = {}
    for line in lines:
        key = (line.vat_category, line.vat_rate)
        bases[key] = bases.get(key, ZERO) + line.net
    return tuple(
        _share(billed[key], rest[key], base, invoice.currency) for key, base in sorted(bases.items())
    )


def _share(billed: VatShare, rest: VatShare, base: Decimal, currency: str) -> VatShare:
    if (base < 0) != (rest.base < 0) or abs(base) > abs(rest.base):
        raise ConflictError(
            f"of the invoice {rest.base} {currency} at {rest.rate:f} % are left to be given back"
        )
    together = vat_amount(billed.base - rest.base + base, billed.rate)
    return replace(rest, base=base, amount=together - (billed.amount - rest.amount))
