"""One thing that is charged, in figures; and how it is written on an invoice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType
from typing import Final

from billing_worker.rating.wording import worded
from ledger.invoice import InvoiceLine, Language, LineKind
from ledger.periods import Period

CENT: Final = Decimal("0.01")
ZERO: Final = Decimal("0.00")
_ONE: Final = Decimal(1)
_NO_FACTS: Final[Mapping[str, object]] = MappingProxyType({})
PIECE: Final = "C62"


def in_cents(amount: Decimal) -> Decimal:
    """Two places, half up."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def of_nano(nano: int) -> Decimal:
    """Nano-units as whole units, exactly."""
    return Decimal(nano).scaleb(-9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """`net` is `quantity` times `unit_price` over `base_quantity`, rounded once; `exact` is what it was before.

    `text` names its words in the catalogue, `facts` what stands in them. `segment` is the number of the one whose
    terms it follows, None for what was bought or paid once.
    """

    kind: LineKind
    text: str
    facts: Mapping[str, object] = field(default_factory=lambda: _NO_FACTS)
    period: Period
    exact: Decimal
    net: Decimal
    quantity: Decimal = _ONE
    unit: str = PIECE
    unit_price: Decimal
    base_quantity: Decimal = _ONE
    project_id: str | None = None
    model: str | None = None
    segment: int | None = None

    def line(
        self, organization_id: str, language: Language, time_zone: str, projects: Mapping[str, str]
    ) -> InvoiceLine:
        """VAT is not decided here: the line has none. `projects`: names by id."""
        name = projects.get(self.project_id or "", self.project_id)
        facts = {"project": name, **self.facts}
        return InvoiceLine(
            kind=self.kind,
            description=worded(self.text, facts, self.period, language, time_zone),
            quantity=self.quantity,
            unit=self.unit,
            unit_price=self.unit_price,
            base_quantity=self.base_quantity,
            net=self.net,
            vat_category="S",
            vat_rate=ZERO,
            period=self.period,
            organization_id=organization_id,
            project=self.project_id,
            project_name=name,
            model=self.model,
        )


def lump(
    kind: LineKind,
    text: str,
    period: Period,
    amount: Decimal,
    facts: Mapping[str, object] = _NO_FACTS,
    *,
    segment: int | None = None,
    project_id: str | None = None,
    model: str | None = None,
) -> Charge:
    """One piece at its sum; below zero, minus one piece."""
    net = in_cents(amount)
    return Charge(
        kind=kind,
        text=text,
        facts=facts,
        period=period,
        exact=amount,
        net=net,
        quantity=-_ONE if net < 0 else _ONE,
        unit_price=abs(net),
        project_id=project_id,
        model=model,
        segment=segment,
    )


def counted(
    kind: LineKind,
    text: str,
    period: Period,
    quantity: Decimal,
    unit_price: Decimal,
    facts: Mapping[str, object] = _NO_FACTS,
    *,
    unit: str = PIECE,
    base_quantity: int = 1,
    segment: int | None = None,
    project_id: str | None = None,
    model: str | None = None,
) -> Charge:
    """A quantity at a price for so many."""
    exact = quantity * unit_price / base_quantity
    return Charge(
        kind=kind,
        text=text,
        facts=facts,
        period=period,
        exact=exact,
        net=in_cents(exact),
        quantity=quantity,
        unit=unit,
        unit_price=unit_price,
        base_quantity=Decimal(base_quantity),
        project_id=project_id,
        model=model,
        segment=segment,
    )
