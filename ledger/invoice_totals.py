"""From lines to totals: what every document adds up to. Pure.

A line is rounded once; VAT is rounded once per category and rate of the document, never line by line.
Halves are rounded away from zero, so that a credit is the exact mirror of what it credits.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor

from ledger.invoice import InvoiceLine, VatCategory, VatShare

ZERO = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Exemption:
    """Why no VAT is due: `code` of the VATEX list, `reason` in the document's language."""

    code: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """`net` + `vat_total` = `gross`, each of two places; `vat` is in the order of category and falling rate."""

    vat: tuple[VatShare, ...]
    net: Decimal
    vat_total: Decimal
    gross: Decimal


def cents(amount: Fraction) -> Decimal:
    """`amount` with two places, exactly rounded; halves go away from zero."""
    magnitude = floor(abs(amount) * 100 + Fraction(1, 2))
    return Decimal(-magnitude if amount < 0 else magnitude).scaleb(-2)


def line_net(quantity: Decimal, unit_price: Decimal, base_quantity: Decimal = Decimal(1)) -> Decimal:
    """What `quantity` costs where `base_quantity` costs `unit_price`, rounded once."""
    return cents(Fraction(quantity) * Fraction(unit_price) / Fraction(base_quantity))


def vat_amount(base: Decimal, rate: Decimal) -> Decimal:
    """VAT on `base` at `rate` percent, rounded once."""
    return cents(Fraction(base) * Fraction(rate) / 100)


def totals(lines: Iterable[InvoiceLine], exemptions: Mapping[VatCategory, Exemption] | None = None) -> Totals:
    """Totals of a document with `lines`, whatever their order. `exemptions` says why a category bears no VAT."""
    bases: dict[tuple[VatCategory, Decimal], Decimal] = defaultdict(lambda: ZERO)
    for line in lines:
        bases[line.vat_category, line.vat_rate] += line.net
    shares = tuple(
        _share(category, rate, base, (exemptions or {}).get(category))
        for (category, rate), base in sorted(bases.items(), key=lambda item: (item[0][0], -item[0][1]))
    )
    net = sum((share.base for share in shares), ZERO)
    vat_total = sum((share.amount for share in shares), ZERO)
    return Totals(vat=shares, net=net, vat_total=vat_total, gross=net + vat_total)


def _share(category: VatCategory, rate: Decimal, base: Decimal, exemption: Exemption | None) -> VatShare:
    return VatShare(
        category=category,
        rate=rate,
        base=base,
        amount=vat_amount(base, rate),
        exemption_code=exemption.code if exemption else None,
        exemption=exemption.reason if exemption else None,
    )
