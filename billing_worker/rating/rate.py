"""Rating: what a span of time comes to under an organization's plans. Pure: the same facts give the same charges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from billing_worker.rating.calendar import BillingPeriod
from billing_worker.rating.charges import ZERO, Charge, lump
from billing_worker.rating.discounts import minimums, volume_discounts
from billing_worker.rating.fees import Days, bought, monthly, paid_once
from billing_worker.rating.metered import used
from billing_worker.rating.overage import overage
from billing_worker.rating.quota import SegmentUsage
from billing_worker.rating.segments import Contract
from billing_worker.rating.sla import given_back
from billing_worker.rating.tiers import reductions
from ledger.adjustments import Adjustment
from ledger.invoice import Currency, InvoiceLine, Language
from ledger.periods import Period
from ledger.service_levels import ServiceLevel
from ledger.token_packs import TokenPack

_NO_NAMES: Final[Mapping[str, str]] = MappingProxyType({})
_ORDER: Final = {
    kind: number
    for number, kind in enumerate(
        (
            "subscription",
            "usage",
            "overage",
            "requests",
            "discount",
            "minimum",
            "token_pack",
            "sla_credit",
            "adjustment",
        )
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that rating depends on. `usage` is that of the contract's segments of `time.period`, one each, in order.

    `priced_as`: what the price list calls models that it has under another name.
    """

    contract: Contract
    time: BillingPeriod
    usage: Sequence[SegmentUsage]
    packs: Sequence[TokenPack] = ()
    adjustments: Sequence[Adjustment] = ()
    measured: ServiceLevel | None = None
    priced_as: Mapping[str, str] = field(default_factory=lambda: _NO_NAMES)


@dataclass(frozen=True, slots=True)
class Rated:
    """`charges` in the order of the invoice; each that is not zero."""

    charges: tuple[Charge, ...]

    @property
    def net(self) -> Decimal:
        return sum((each.net for each in self.charges), ZERO)

    def lines(
        self,
        organization_id: str,
        language: Language,
        time_zone: str,
        projects: Mapping[str, str] = _NO_NAMES,
    ) -> tuple[InvoiceLine, ...]:
        """Net of VAT, which is not decided here. `projects`: names by id."""
        return tuple(each.line(organization_id, language, time_zone, projects) for each in self.charges)


def rate(facts: Facts, currency: Currency) -> Rated:
    """What falls due in the span in `currency`.

    Discounts come after tiers, then what is missing to a minimum, then what a broken promise gives back of all that;
    what is paid once, bought or adjusted stands beside it. Where any of these differ within the span, what is counted
    over several stretches belongs to the last of them.
    """
    span = facts.time.period
    segments = [usage.segment for usage in facts.usage]
    days = Days.count(segments, span, facts.time.whole, facts.contract.time_zone)
    charges = monthly(segments, days, currency)
    for number, usage in enumerate(facts.usage):
        charges += used(number, usage, currency, facts.priced_as)
    charges += overage(facts.usage, currency)
    charges += reductions(facts.usage, currency, facts.priced_as)
    charges += volume_discounts(segments, charges, currency)
    charges += minimums(segments, charges, days, currency)
    charges += given_back(segments, charges, days, currency, facts.measured)
    charges += paid_once(facts.contract, span, currency)
    charges += bought(facts.packs, span, currency)
    charges += adjusted(facts.adjustments, span, currency)
    return Rated(tuple(sorted((each for each in charges if each.net), key=_place)))


def adjusted(adjustments: Sequence[Adjustment], span: Period, currency: str) -> list[Charge]:
    return [
        lump("adjustment", "adjustment", span, each.amount, {"reason": each.reason})
        for each in sorted(adjustments, key=lambda each: (each.at, each.id))
        if each.at in span and each.currency == currency
    ]


def _place(charge: Charge) -> tuple[object, ...]:
    return (
        _ORDER[charge.kind],
        charge.period.start,
        charge.project_id or "",
        charge.model or "",
        charge.text,
        charge.exact,
    )
