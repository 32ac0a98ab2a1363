"""What goes beyond the quota, where the plan has a price of its own for it: by begun blocks of tokens or requests."""

from collections.abc import Sequence
from decimal import Decimal

from billing_worker.rating.charges import Charge, counted
from billing_worker.rating.metered import terms_in
from billing_worker.rating.quota import SegmentUsage, metered
from ledger.periods import Period
from ledger.terms import OveragePrice


def overage(usages: Sequence[SegmentUsage], currency: str) -> list[Charge]:
    """A line for each such price; blocks are begun once, however the period is cut."""
    groups: dict[OveragePrice, list[int]] = {}
    for number, usage in enumerate(usages):
        terms = terms_in(usage, currency)
        if terms is not None and terms.overage_price is not None and metered(usage.segment):
            groups.setdefault(terms.overage_price, []).append(number)
    found = []
    for price, numbers in groups.items():
        over = sum(_beyond(usages[number], price) for number in numbers)
        period = Period(usages[numbers[0]].segment.period.start, usages[numbers[-1]].segment.period.end)
        blocks = Decimal(-(-over // price.block))
        facts = {"over": over, "block": price.block}
        charge = counted(
            "overage", f"overage_{price.per}", period, blocks, price.price, facts, segment=numbers[-1]
        )
        if charge.net:
            found.append(charge)
    return found


def _beyond(usage: SegmentUsage, price: OveragePrice) -> int:
    """Tokens of all models, or requests to a model that began when nothing was left."""
    if price.per == "tokens":
        return sum(each.usage.total_tokens for each in usage.charged)
    return sum(each.requests for each in usage.charged if each.model)
