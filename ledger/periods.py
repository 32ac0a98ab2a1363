"""Periods: half-open spans of time, cut on the organization's own calendar."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Period:
    """`start` belongs to it, `end` does not. Both are aware and in UTC."""

    start: datetime
    end: datetime

    def __contains__(self, instant: object) -> bool:
        return isinstance(instant, datetime) and self.start <= instant < self.end


def _month_start(year: int, month: int, zone: ZoneInfo) -> datetime:
    return datetime(year, month, 1, tzinfo=zone).astimezone(UTC)


def month_of(instant: datetime, time_zone: str) -> Period:
    """The calendar month around `instant` in `time_zone`; March 2026 in Europe/Paris has 743 hours.

    Raises ValueError for a naive instant and ZoneInfoNotFoundError for an unknown zone.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    zone = ZoneInfo(time_zone)
    local = instant.astimezone(zone)
    year, month = local.year, local.month
    following = (year + month // 12, month % 12 + 1)
    return Period(_month_start(year, month, zone), _month_start(*following, zone))


def month_after(period: Period, time_zone: str) -> Period:
    """The month that begins where `period` ends."""
    return month_of(period.end, time_zone)


def days_of(period: Period, time_zone: str) -> tuple[date, date]:
    """The first and the last day of `period` in `time_zone`, as people write it; both belong to it."""
    zone = ZoneInfo(time_zone)
    last = max(period.start, period.end - timedelta(microseconds=1))
    return period.start.astimezone(zone).date(), last.astimezone(zone).date()
