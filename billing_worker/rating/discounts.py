"""What a period's charges come to in all: less for much usage, and no less than what was agreed."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from decimal import Decimal
from typing import Final, TypeVar

from billing_worker.rating.charges import ZERO, Charge, in_cents, lump
from billing_worker.rating.fees import Days, worth
from billing_worker.rating.segments import Segment
from ledger.periods import Period
from ledger.plans import PlanTerms
from ledger.terms import VolumeDiscount

_HUNDRED: Final = 100
_OF_USAGE: Final = frozenset({"usage", "overage", "requests", "discount"})
Key = TypeVar("Key", bound=Hashable)


def groups(
    segments: Sequence[Segment], currency: str, key: Callable[[PlanTerms], Key | None]
) -> dict[Key, list[int]]:
    """The numbers of the segments, but for trials, by something of their terms; without it they are in none."""
    found: dict[Key, list[int]] = {}
    for number, segment in enumerate(segments):
        terms = segment.terms
        if terms is None or segment.trial or terms.currency != currency:
            continue
        of = key(terms)
        if of is not None:
            found.setdefault(of, []).append(number)
    return found


def covering(segments: Sequence[Segment], numbers: Sequence[int]) -> Period:
    return Period(segments[numbers[0]].period.start, segments[numbers[-1]].period.end)


def total(charges: Iterable[Charge], numbers: Sequence[int], kinds: frozenset[str] | None = None) -> Decimal:
    """Of the charges that follow these segments' terms; of `kinds` where they are named. Never below zero."""
    return max(
        ZERO,
        sum(
            (
                each.net
                for each in charges
                if each.segment in numbers and (kinds is None or each.kind in kinds)
            ),
            ZERO,
        ),
    )


def discounted(base: Decimal, discounts: Sequence[VolumeDiscount]) -> Decimal:
    """What is off `base`, in cents: of each part of it the percentage that it lies in."""
    off = Decimal()
    for number, each in enumerate(discounts):
        upper = discounts[number + 1].above if number + 1 < len(discounts) else base
        off += max(Decimal(), min(base, upper) - each.above) * each.percent / _HUNDRED
    return in_cents(off)


def volume_discounts(segments: Sequence[Segment], charges: Sequence[Charge], currency: str) -> list[Charge]:
    """By what usage comes to after tiers, over all time with the same discounts."""
    found = []
    for discounts, numbers in groups(
        segments, currency, lambda terms: terms.volume_discounts or None
    ).items():
        base = total(charges, numbers, _OF_USAGE)
        off = discounted(base, discounts)
        if off:
            facts = {"base": base, "currency": currency}
            found.append(
                lump("discount", "volume", covering(segments, numbers), -off, facts, segment=numbers[-1])
            )
    return found


def minimums(
    segments: Sequence[Segment], charges: Sequence[Charge], days: Days, currency: str
) -> list[Charge]:
    """What is missing to the minimum, of which a part of a month has its share by days. A plan that is paid by the year
    counts with a twelfth of its price a month."""
    found = []
    by_minimum = groups(segments, currency, lambda terms: terms.minimum_spend or None)
    for minimum, numbers in by_minimum.items():
        shares = days.shares([minimum if n in numbers else ZERO for n in range(len(segments))])
        agreed = sum((shares[number] for number in numbers), ZERO)
        missing = agreed - total(charges, numbers) - yearly_share(segments, days, numbers)
        if missing > 0:
            facts = {"minimum": agreed, "currency": currency}
            found.append(
                lump("minimum", "minimum", covering(segments, numbers), missing, facts, segment=numbers[-1])
            )
    return found


def yearly_share(segments: Sequence[Segment], days: Days, numbers: Sequence[int]) -> Decimal:
    """Of prices per year that were paid before, what falls on these segments."""
    by_year = [
        worth(each)
        if n in numbers and each.subscription and each.subscription.billing_interval == "year"
        else ZERO
        for n, each in enumerate(segments)
    ]
    return sum(days.shares(by_year), ZERO)
