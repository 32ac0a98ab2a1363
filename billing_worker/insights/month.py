"""What the present month has come to, and what it will: one answer for insights and reports alike."""

import asyncio
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from billing_worker.insights.forecast import Forecast, forecast
from billing_worker.insights.history import History, daily_prices
from billing_worker.insights.models import Method
from ledger.archive.usage import ArchivedUsage
from ledger.database import Connection
from ledger.periods import day_of, days_of, month_of
from ledger.usage_filter import Filter

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class MonthAhead:
    """In euros. `so_far` is what was used up to now, `days` what the rest of today and the days after it are foreseen
    to bring; `low` and `high` bound the whole month, and are None where too little is known."""

    so_far: Decimal
    days: tuple[tuple[date, Decimal], ...]
    low: Decimal | None
    high: Decimal | None
    method: Method

    @property
    def total(self) -> Decimal:
        return self.so_far + sum((value for _, value in self.days), start=Decimal(0))


async def month_ahead(
    connection: Connection, wanted: Filter, at: datetime, time_zone: str, archive: ArchivedUsage
) -> MonthAhead | None:
    """Of what is `wanted`, which names no span. None where nothing is known to go by. Raises ArchiveUnavailable."""
    today = day_of(at, time_zone)
    _, last = days_of(month_of(at, time_zone), time_zone)
    history = await daily_prices(connection, wanted, today, time_zone, archive)
    foreseen = await asyncio.to_thread(forecast, history.complete, (last - today).days + 1)
    return None if foreseen is None else together(history, foreseen, today)


def together(history: History, foreseen: Forecast, today: date) -> MonthAhead:
    """Pure. `foreseen` begins with today, which is not over: it counts for what it has come to, if that is more."""
    values = [Decimal(value).quantize(_CENT) for value in foreseen.days]
    values[0] = max(Decimal(0), values[0] - history.today)
    so_far = history.of_month
    before_today = so_far - history.today

    def bound(value: float | None, least: Decimal) -> Decimal | None:
        return None if value is None else max(least, (before_today + Decimal(value)).quantize(_CENT))

    return MonthAhead(
        so_far=so_far,
        days=tuple((today + timedelta(days=number), value) for number, value in enumerate(values)),
        low=bound(foreseen.low, so_far),
        high=bound(foreseen.high, so_far + sum(values)),
        method=foreseen.method,
    )
