"""What does not depend on usage: prices per month and year, what is paid once, and what was bought."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from billing_worker.rating.charges import ZERO, Charge, counted, in_cents, lump
from billing_worker.rating.segments import Contract, Segment
from ledger.periods import Period, anniversary_of, day_of, days_in, start_of
from ledger.plans import PlanTerms
from ledger.subscriptions import Subscription
from ledger.token_packs import TokenPack

_MONTHS_OF_A_YEAR = 12
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Days:
    """Whose the days of a span are: a day with two plans is the later one's, and it counts where it ends.

    `of` has one count for each segment; `whole` is how many days the month has that the span is, or is a part of.
    """

    of: tuple[int, ...]
    whole: int

    @classmethod
    def count(cls, segments: Sequence[Segment], span: Period, whole: Period, time_zone: str) -> "Days":
        counts = [0] * len(segments)
        for _, day in days_in(span, time_zone):
            if day.end > span.end:
                continue
            touched = [
                number
                for number, each in enumerate(segments)
                if each.terms is not None and each.period.start < day.end and day.start < each.period.end
            ]
            if touched:
                counts[touched[-1]] += 1
        return cls(tuple(counts), sum(1 for _ in days_in(whole, time_zone)))

    def shares(self, amounts: Sequence[Decimal]) -> list[Decimal]:
        """Of a monthly amount for each segment, what its days come to, in cents. Equal amounts add up to the cent: a
        month's whole days to the whole amount."""
        days: dict[Decimal, int] = {}
        found = []
        for amount, own in zip(amounts, self.of, strict=True):
            before = days.get(amount, 0)
            days[amount] = before + own
            found.append(self._part(amount, before + own) - self._part(amount, before))
        return found

    def _part(self, amount: Decimal, days: int) -> Decimal:
        return in_cents(amount * days / self.whole) if days else ZERO


def monthly_price(segment: Segment) -> Decimal:
    """The price per month, none within a trial; of a plan that is paid by the year none."""
    terms, subscription = segment.terms, segment.subscription
    if terms is None or subscription is None or segment.trial or subscription.billing_interval != "month":
        return ZERO
    return terms.monthly_price


def worth(segment: Segment) -> Decimal:
    """A month's price, of a plan that is paid by the year a twelfth: what a promise is measured by."""
    if segment.terms is None or segment.subscription is None or segment.trial:
        return ZERO
    if segment.subscription.billing_interval == "year":
        return segment.terms.yearly_price / _MONTHS_OF_A_YEAR
    return segment.terms.monthly_price


def monthly(segments: Sequence[Segment], days: Days, currency: str) -> list[Charge]:
    """A line for each stretch of one plan at one price, whichever else of its terms changed meanwhile."""
    prices = [monthly_price(each) for each in segments]
    found: list[Charge] = []
    start = 0
    parts = days.shares(prices)
    for number, segment in enumerate(segments):
        following = segments[number + 1] if number + 1 < len(segments) else None
        if following is not None and _goes_on(segment, following) and prices[number + 1] == prices[number]:
            continue
        run = slice(start, number + 1)
        period = Period(segments[start].period.start, segment.period.end)
        start = number + 1
        amount, own = sum(parts[run], ZERO), sum(days.of[run])
        if segment.terms is None or segment.terms.currency != currency or not amount:
            continue
        facts = {"plan": segment.terms.name, "days": own, "whole": days.whole}
        if own == days.whole:
            price = prices[number]
            found.append(
                counted(
                    "subscription", "monthly", period, Decimal(1), price, facts, unit="MON", segment=number
                )
            )
        else:
            found.append(lump("subscription", "monthly_part", period, amount, facts, segment=number))
    return found


def _goes_on(one: Segment, other: Segment) -> bool:
    return (
        one.subscription is not None
        and other.subscription is not None
        and one.subscription.plan_id == other.subscription.plan_id
        and one.terms is not None
        and other.terms is not None
        and (one.terms.minimum_spend, one.terms.sla) == (other.terms.minimum_spend, other.terms.sla)
    )


def paid_once(contract: Contract, span: Period, currency: str) -> list[Charge]:
    """The setup of plans that began to cost something in `span`, and years that began in it."""
    found: list[Charge] = []
    before: Subscription | None = None
    for each in contract.subscriptions:
        begins = _begins(each)
        same_plan = before is not None and before.end == each.start and before.plan_id == each.plan_id
        if begins is not None:
            terms = contract.terms_at(each, begins)
            if begins in span and not same_plan and terms.setup_fee and terms.currency == currency:
                period = Period(begins, span.end)
                found.append(lump("subscription", "setup", period, terms.setup_fee, {"plan": terms.name}))
            if each.billing_interval == "year":
                found += _years(contract, before, each, begins, span, currency)
        before = each
    return found


def _begins(subscription: Subscription) -> datetime | None:
    """When it begins to cost something; None for one that ends before."""
    begins = max(subscription.start, subscription.trial_ends_at or subscription.start)
    return begins if subscription.end is None or begins < subscription.end else None


@dataclass(frozen=True, slots=True)
class _Year:
    period: Period
    terms: PlanTerms

    @property
    def price(self) -> Decimal:
        return in_cents(self.terms.yearly_price)


def _year_at(contract: Contract, subscription: Subscription, begins: datetime, at: datetime) -> _Year:
    """The paid year around `at`, at the price of its first moment."""
    period = anniversary_of(
        at, day_of(begins, contract.time_zone), contract.time_zone, months=_MONTHS_OF_A_YEAR
    )
    return _Year(period, contract.terms_at(subscription, max(period.start, begins)))


def _years(
    contract: Contract,
    before: Subscription | None,
    subscription: Subscription,
    begins: datetime,
    span: Period,
    currency: str,
) -> list[Charge]:
    found: list[Charge] = []
    at = max(begins, span.start)
    while at < min(span.end, subscription.end or span.end):
        year = _year_at(contract, subscription, begins, at)
        first = max(year.period.start, begins)
        if first in span and year.price and year.terms.currency == currency:
            found.append(
                counted(
                    "subscription", "yearly", year.period, Decimal(1), year.terms.yearly_price, _named(year)
                )
            )
            if first == begins and before is not None and before.end == subscription.start:
                found += _unused(contract, before, year)
        at = year.period.end
    return found


def _unused(contract: Contract, before: Subscription, following: _Year) -> list[Charge]:
    """What is left of a year that the next one takes the place of; no more than that costs."""
    begins = _begins(before)
    if before.billing_interval != "year" or begins is None or before.end is None:
        return []
    year = _year_at(contract, before, begins, max(begins, before.end - _TICK))
    whole = (day_of(year.period.end, contract.time_zone) - day_of(year.period.start, contract.time_zone)).days
    left = (day_of(year.period.end, contract.time_zone) - day_of(before.end, contract.time_zone)).days
    credit = min(in_cents(year.price * left / whole), following.price)
    if credit <= 0 or year.terms.currency != following.terms.currency:
        return []
    period = Period(start_of(day_of(before.end, contract.time_zone), contract.time_zone), year.period.end)
    facts = {**_named(year), "days": left, "whole": whole}
    return [lump("subscription", "yearly_unused", period, -credit, facts)]


def _named(year: _Year) -> dict[str, object]:
    return {"plan": year.terms.name}


def bought(packs: Sequence[TokenPack], span: Period, currency: str) -> list[Charge]:
    """Packs of tokens, each in the span in which it was bought."""
    return [
        counted(
            "token_pack",
            "pack",
            Period(pack.starts_at, pack.ends_at),
            Decimal(1),
            pack.price,
            {"tokens": pack.tokens},
        )
        for pack in sorted(packs, key=lambda pack: (pack.starts_at, pack.id))
        if pack.starts_at in span and pack.price and pack.currency == currency
    ]
