"""What an organization used day by day, as forecasts and the search for the unusual take it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from billing_worker.insights.models import ENOUGH, WINDOW
from ledger.archive.usage import ArchivedUsage
from ledger.breakdown import Part, breakdown
from ledger.database import Connection
from ledger.periods import start_of
from ledger.usage_filter import Filter

DAYS = WINDOW + ENOUGH
_NANO = Decimal(10) ** 9


@dataclass(frozen=True, slots=True)
class History:
    """`complete` are the days before today, from the first with usage on, in euros; `of_month` is what the month's
    days have come to, today included."""

    complete: tuple[float, ...]
    today: Decimal
    of_month: Decimal


async def daily_prices(
    connection: Connection, wanted: Filter, today: date, time_zone: str, archive: ArchivedUsage
) -> History:
    """Up to DAYS back; `wanted` names no span. Raises ArchiveUnavailable."""
    first = min(today - timedelta(days=DAYS), today.replace(day=1))
    found = await days_of(connection, wanted, first, today, time_zone, archive)
    prices = {day: Decimal(part.price_nano_eur) / _NANO for day, part in found.items()}
    month = [price for day, price in prices.items() if (day.year, day.month) == (today.year, today.month)]
    complete = filled([(day, float(price)) for day, price in prices.items() if day < today], today)
    return History(tuple(complete[-DAYS:]), prices.get(today, Decimal(0)), sum(month, start=Decimal(0)))


async def days_of(
    connection: Connection, wanted: Filter, first: date, last: date, time_zone: str, archive: ArchivedUsage
) -> dict[date, Part]:
    """Of those days of the calendar that have any usage, in their order. Raises ArchiveUnavailable."""
    start, end = start_of(first, time_zone), start_of(last + timedelta(days=1), time_zone)
    span = replace(wanted, start=start, end=end)
    days = (last - first).days + 1
    parts = await breakdown(connection, span, ("day",), limit=days, time_zone=time_zone, archive=archive)
    return {part.by[0]: part for part in parts}


def filled(values: Sequence[tuple[date, float]], end: date) -> list[float]:
    """A value for each day from the first known to the one before `end`; days that are not known are 0."""
    known = dict(values)
    if not known:
        return []
    first = min(known)
    return [known.get(first + timedelta(days=number), 0.0) for number in range((end - first).days)]
