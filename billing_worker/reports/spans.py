"""The last whole day, week or month that is over. Pure."""

from datetime import datetime, timedelta

from ledger.periods import Period, day_of, month_of, start_of
from ledger.report_schedules import Cadence


def last_span(at: datetime, cadence: Cadence, time_zone: str) -> Period:
    """On the calendar of `time_zone`; weeks begin on Monday."""
    today = day_of(at, time_zone)
    if cadence == "daily":
        return Period(start_of(today - timedelta(days=1), time_zone), start_of(today, time_zone))
    if cadence == "weekly":
        monday = today - timedelta(days=today.weekday())
        return Period(start_of(monday - timedelta(days=7), time_zone), start_of(monday, time_zone))
    this = month_of(at, time_zone)
    return month_of(this.start - timedelta(microseconds=1), time_zone)
