"""Prices in tiers: records are priced by the dearest, here it comes down to what the period's sum makes of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from billing_worker.rating.charges import Charge, lump, of_nano
from billing_worker.rating.metered import terms_in
from billing_worker.rating.quota import SegmentUsage, metered
from billing_worker.rating.selling import request_part, rule_for
from billing_worker.rating.usage import UsageSum
from ledger.periods import Period
from ledger.plans import PlanTerms
from ledger.price_rules import MICRO, PriceRule, Tiers
from ledger.prices import NANO, TOKEN_KINDS, units
from ledger.rating import by_kind, half_even
from ledger.usage import Usage

_PER_REQUEST: Final = "per_request"


@dataclass(slots=True)
class _Sold:
    """`amounts`: of a rule by rate how many of each kind; of one by markup, under `*`, the prices in nano-units."""

    first: int
    last: int
    amounts: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, amount: int) -> None:
        self.amounts[kind] = self.amounts.get(kind, 0) + amount


def reductions(usages: Sequence[SegmentUsage], currency: str, priced_as: Mapping[str, str]) -> list[Charge]:
    """A line for each rule in tiers, and kind of what it prices; however the period is cut, a rule counts once."""
    sold: dict[PriceRule, _Sold] = {}
    for number, usage in enumerate(usages):
        terms = terms_in(usage, currency)
        if terms is None or usage.segment.trial or not any(rule.tiers for rule in terms.price_rules):
            continue
        for each in usage.included:
            if each.currency == currency:
                _count(sold, number, _pieces_of(each), terms, priced_as)
        for each in usage.charged:
            if each.currency == currency:
                waived = metered(usage.segment) and terms.overage_price is not None
                _count(sold, number, _pieces_of(each) if waived else each, terms, priced_as)
    found = []
    for rule, of in sold.items():
        period = Period(usages[of.first].segment.period.start, usages[of.last].segment.period.end)
        assert rule.tiers is not None
        name = {"rule": rule.model, "is_money": not rule.tiers.by_rate, "currency": currency}
        for kind, amount in sorted(of.amounts.items()):
            nano, counted = _reduction(rule.tiers, kind, amount)
            facts = {**name, "kind": kind, "amount": counted}
            charge = lump("discount", "tiers", period, -of_nano(nano), facts, segment=of.last)
            if charge.net:
                found.append(charge)
    return found


def _pieces_of(each: UsageSum) -> UsageSum:
    """Without its tokens, whose price is waived."""
    return UsageSum(
        project_id=each.project_id,
        model=each.model,
        currency=each.currency,
        requests=each.requests,
        usage=Usage(quantities=each.usage.quantities),
        price_nano=each.price_nano - each.price_nano_tokens,
    )


def _count(
    sold: dict[PriceRule, _Sold], number: int, each: UsageSum, terms: PlanTerms, priced_as: Mapping[str, str]
) -> None:
    if not each.price_nano:
        return  # Nothing of it had a price, so nothing can come down.
    model = priced_as.get(each.model, each.model)
    left = {
        True: each.price_nano_tokens,
        False: each.price_nano - each.price_nano_tokens - request_part(each, terms),
    }
    by_markup: PriceRule | None = None
    kinds = by_kind(each.usage) | ({_PER_REQUEST: each.requests} if each.model else {})
    for kind, amount in kinds.items():
        rule = rule_for(terms, model, kind)
        if rule is None:
            continue
        if (rate := rule.highest_rate) is not None:
            left[kind in TOKEN_KINDS] -= half_even(amount * int(rate * NANO), units(kind))
        if rule.tiers is None:
            continue
        if not rule.tiers.by_rate:
            by_markup = rule
            continue
        of = sold.setdefault(rule, _Sold(number, number))
        of.last = number
        of.add("*" if rule.kind == "*" else kind, amount)
    if by_markup is not None:
        of = sold.setdefault(by_markup, _Sold(number, number))
        of.last = number
        of.add("*", sum(max(0, nano) for nano in left.values()))


def _reduction(tiers: Tiers, kind: str, amount: int) -> tuple[int, Decimal]:
    """In nano-units, and what was counted: tokens or pieces, or money at cost."""
    dearest = int(tiers.dearest * MICRO)
    if tiers.by_rate:
        unit = units("input" if kind == "*" else kind)
        too_much = amount * dearest - tiers.charge(amount)
        return half_even(too_much * NANO, MICRO * unit), Decimal(amount)
    at_cost = amount * MICRO // dearest if dearest else 0
    return max(0, amount - half_even(tiers.charge(at_cost), MICRO)), of_nano(at_cost)
