"""Which stretches of time an organization is billed for: its months, by the calendar or by anniversaries. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from ledger.periods import Period, anniversary_of, day_of, month_of, start_of
from ledger.subscriptions import Subscription


@dataclass(frozen=True, slots=True)
class BillingPeriod:
    """`whole` is the month that `period` is, or is a part of: where an organization goes over to other months, the
    last of the old ones is cut at the midnight before."""

    period: Period
    whole: Period


@dataclass(frozen=True, slots=True)
class _Regime:
    """From `start` on months turn on the day of `anchor`; None is the calendar's first. A None start is always."""

    start: datetime | None
    anchor: date | None

    def month(self, at: datetime, time_zone: str) -> Period:
        return month_of(at, time_zone) if self.anchor is None else anniversary_of(at, self.anchor, time_zone)


def periods(
    subscriptions: Sequence[Subscription], within: Period, time_zone: str
) -> tuple[BillingPeriod, ...]:
    """Those that share time with `within`, in order and without gaps. `subscriptions` are in order."""
    regimes = _regimes(subscriptions, time_zone)
    found: list[BillingPeriod] = []
    at = within.start
    while at < within.end:
        number = max(n for n, each in enumerate(regimes) if each.start is None or each.start <= at)
        regime, start = regimes[number], regimes[number].start
        until = regimes[number + 1].start if number + 1 < len(regimes) else None
        whole = regime.month(at, time_zone)
        period = Period(
            whole.start if start is None else max(whole.start, start),
            whole.end if until is None else min(whole.end, until),
        )
        found.append(BillingPeriod(period, whole))
        at = period.end
    return tuple(found)


def _regimes(subscriptions: Sequence[Subscription], time_zone: str) -> list[_Regime]:
    regimes = [_Regime(None, None)]
    before: Subscription | None = None
    for each in subscriptions:
        day = day_of(each.start, time_zone)
        if each.period_anchor == "calendar":
            anchor = None
        elif before is not None and before.period_anchor == "anniversary" and before.end == each.start:
            anchor = regimes[-1].anchor
        else:
            anchor = day
        before = each
        if anchor != regimes[-1].anchor:
            start = start_of(day, time_zone)
            if regimes[-1].start == start:
                regimes.pop()
            if anchor != regimes[-1].anchor:
                regimes.append(_Regime(start, anchor))
    return regimes
