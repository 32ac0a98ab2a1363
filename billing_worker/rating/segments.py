"""The time to be rated, cut where a subscription, a plan's terms or a trial changes. Pure."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Final

from ledger.periods import Period
from ledger.plan_history import DatedTerms
from ledger.plans import PlanTerms
from ledger.subscriptions import Subscription

_WITHOUT_MONEY: Final = PlanTerms(name="-")
_SAME_BILL: Final = ("name", "limits", "models", "endpoints", "on_redis_loss", "unpriced_models", "active")
"""Terms that no line of an invoice depends on but by its words."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time under one subscription on one set of terms; None where there was none."""

    period: Period
    subscription: Subscription | None
    terms: PlanTerms | None

    @property
    def trial(self) -> bool:
        """Whether it costs nothing yet. No segment begins in a trial and ends after it."""
        subscription = self.subscription
        return (
            subscription is not None
            and subscription.trial_ends_at is not None
            and self.period.start < subscription.trial_ends_at
        )


@dataclass(frozen=True, slots=True)
class Contract:
    """All subscriptions of an organization, in order, and of their plans (by id) the terms, the oldest first."""

    time_zone: str
    subscriptions: Sequence[Subscription]
    history: Mapping[str, Sequence[DatedTerms]]

    def terms_at(self, subscription: Subscription, at: datetime) -> PlanTerms:
        """Before the first terms that are known of a plan, they hold as well."""
        known = self.history[subscription.plan_id]
        return known[max(0, bisect_right(known, at, key=lambda dated: dated.valid_from) - 1)].terms

    def segments(self, span: Period) -> tuple[Segment, ...]:
        """`span` without gaps, in order. Neighbours that are billed alike are one."""
        found: list[Segment] = []
        at = span.start
        for subscription in self.subscriptions:
            start, end = max(at, subscription.start), min(span.end, subscription.end or span.end)
            if start < end:
                if at < start:
                    found.append(Segment(Period(at, start), None, None))
                found += self._pieces(subscription, Period(start, end))
                at = end
        if at < span.end:
            found.append(Segment(Period(at, span.end), None, None))
        return _joined(found)

    def _pieces(self, subscription: Subscription, period: Period) -> list[Segment]:
        turns = {dated.valid_from for dated in self.history[subscription.plan_id]}
        if subscription.trial_ends_at is not None:
            turns.add(subscription.trial_ends_at)
        cuts = [period.start, *sorted(at for at in turns if period.start < at < period.end), period.end]
        return [
            Segment(Period(start, end), subscription, self.terms_at(subscription, start))
            for start, end in pairwise(cuts)
        ]


def _joined(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    found: list[Segment] = []
    for each in segments:
        if found and _same_bill(found[-1], each):
            found[-1] = replace(each, period=Period(found[-1].period.start, each.period.end))
        else:
            found.append(each)
    return tuple(found)


def _same_bill(one: Segment, other: Segment) -> bool:
    if one.subscription != other.subscription or one.trial != other.trial:
        return False
    return (one.terms and _money(one.terms)) == (other.terms and _money(other.terms))


def _money(terms: PlanTerms) -> PlanTerms:
    return terms.model_copy(update={name: getattr(_WITHOUT_MONEY, name) for name in _SAME_BILL})
