"""Periods: half-open spans of time, cut on the organization's own calendar."""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Period:
    """`start` belongs to it, `end` does not. Both are aware and in UTC."""

    start: datetime
    end: datetime

    def __contains__(self, instant: object) -> bool:
        return isinstance(instant, datetime) and self.start <= instant < self.end


def day_of(instant: datetime, time_zone: str) -> date:
    """The calendar day there. Raises ValueError for a naive instant and ZoneInfoNotFoundError for an unknown zone."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return instant.astimezone(ZoneInfo(time_zone)).date()


def start_of(day: date, time_zone: str) -> datetime:
    """When the day begins there, in UTC: at midnight, or right after where clocks go past it."""
    return datetime.combine(day, time(), ZoneInfo(time_zone)).astimezone(UTC)


def month_of(instant: datetime, time_zone: str) -> Period:
    """The calendar month around `instant` in `time_zone`; March 2026 in Europe/Paris has 743 hours.

    Raises ValueError for a naive instant and ZoneInfoNotFoundError for an unknown zone.
    """
    first = day_of(instant, time_zone).replace(day=1)
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return Period(start_of(first, time_zone), start_of(following, time_zone))


def month_after(period: Period, time_zone: str) -> Period:
    """The month that begins where `period` ends."""
    return month_of(period.end, time_zone)


def anniversary_of(instant: datetime, anchor: date, time_zone: str, *, months: int = 1) -> Period:
    """The span of `months` around `instant` whose turns are on the day of `anchor`, in months without it on their last.

    Each turn is counted from the anchor: after 31 January come 28 February and 31 March. A year is twelve months.
    """
    day = day_of(instant, time_zone)
    number = (12 * (day.year - anchor.year) + day.month - anchor.month) // months
    if day < _turn(anchor, number * months):
        number -= 1
    first, following = (_turn(anchor, n * months) for n in (number, number + 1))
    return Period(start_of(first, time_zone), start_of(following, time_zone))


def _turn(anchor: date, months: int) -> date:
    year, month = divmod(12 * anchor.year + anchor.month - 1 + months, 12)
    return date(year, month + 1, min(anchor.day, monthrange(year, month + 1)[1]))


def days_in(period: Period, time_zone: str) -> Iterator[tuple[date, Period]]:
    """The calendar days there that `period` touches, each whole."""
    day = day_of(period.start, time_zone)
    while (start := start_of(day, time_zone)) < period.end:
        yield day, Period(start, start_of(day + timedelta(days=1), time_zone))
        day += timedelta(days=1)


def whole_days_after(instant: datetime, days: int, time_zone: str) -> datetime:
    """The midnight there before which `days` whole days have passed since `instant`."""
    day = day_of(instant, time_zone)
    begun = instant > start_of(day, time_zone)
    return start_of(day + timedelta(days=days + begun), time_zone)


def days_of(period: Period, time_zone: str) -> tuple[date, date]:
    """The first and the last day of `period` in `time_zone`, as people write it; both belong to it."""
    last = max(period.start, period.end - timedelta(microseconds=1))
    return day_of(period.start, time_zone), day_of(last, time_zone)
