"""What each day cost, and what the month will come to if it goes on like this."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from billing_worker.insights.forecast import Forecast, forecast
from billing_worker.insights.history import daily_prices
from billing_worker.reports.table import Chart, Column, Fact, Series, Table, Value, money
from billing_worker.reports.template import Asked, Template, table
from ledger.database import Connection
from ledger.periods import Period, day_of, days_of, month_of

_COLUMNS = (
    Column("day", "day"),
    Column("state", "text"),
    Column("cost", "money", currency="USD", total=True),
    Column("price", "money", currency="EUR"),
    Column("cumulative", "money", currency="EUR"),
)
_CENT = Decimal("0.01")


async def _make(connection: Connection, asked: Asked) -> Table:
    parts = await asked.parts(connection, ("day",))
    known = {part.by[0]: part for part in parts}
    month = month_of(asked.at, asked.time_zone)
    # A projection belongs to a report that reaches the present.
    reaches_now = asked.period.start <= asked.at <= asked.period.end + timedelta(hours=1)
    projection = await _projection(connection, asked, month) if reaches_now else None
    rows: list[tuple[Value, ...]] = []
    sums: dict[date, Decimal] = {}
    for day, part in known.items():
        first = day.replace(day=1)
        sums[first] = sums.get(first, Decimal(0)) + money(part.price_nano_eur)
        rows.append((day, "actual", money(part.cost_nano_usd), money(part.price_nano_eur), sums[first]))
    chart_days = [day.isoformat() for day in known]
    actual: list[Decimal | None] = [money(part.price_nano_eur) for part in known.values()]
    foreseen: list[Decimal | None] = [None] * len(actual)
    if projection is not None:
        so_far = projection.so_far
        for day, value in projection.days:
            so_far += value
            rows.append((day, "projected", None, value, so_far))
            chart_days.append(day.isoformat())
            actual.append(None)
            foreseen.append(value)
    chart = Chart(
        "lines",
        "money",
        tuple(chart_days),
        (Series("price", tuple(actual)), Series("projected", tuple(foreseen))),
        currency="EUR",
    )
    facts = () if projection is None else projection.facts()
    notes: tuple[str, ...] = ()
    if projection is not None:
        notes = ("projection",) if projection.foreseen.low is not None else ("too_short",)
    made = table("cost_trend", asked, _COLUMNS, rows, facts=facts, chart=chart, notes=notes)
    price = sum((money(part.price_nano_eur) for part in parts), start=Decimal(0))
    return replace(made, totals={**made.totals, "price": price})


class _Projection:
    """`so_far` is what the month's days up to today have cost; `days` are those after today."""

    def __init__(self, so_far: Decimal, foreseen: Forecast, days: list[tuple[date, Decimal]]) -> None:
        self.so_far = so_far
        self.foreseen = foreseen
        self.days = days

    def facts(self) -> tuple[Fact, ...]:
        def bound(value: float) -> Decimal:
            return (self.so_far + Decimal(value)).quantize(_CENT)

        total = self.so_far + sum(value for _, value in self.days)
        found = [
            Fact("month_to_date", "money", self.so_far, "EUR"),
            Fact("projection", "money", total.quantize(_CENT), "EUR"),
        ]
        if self.foreseen.low is not None and self.foreseen.high is not None:
            found.append(Fact("low", "money", bound(self.foreseen.low), "EUR"))
            found.append(Fact("high", "money", bound(self.foreseen.high), "EUR"))
        return tuple(found)


async def _projection(connection: Connection, asked: Asked, month: Period) -> _Projection | None:
    today = day_of(asked.at, asked.time_zone)
    _, last = days_of(month, asked.time_zone)
    history = await daily_prices(connection, asked.wanted, today, asked.time_zone)
    # Today is not over: it is foreseen like the days after it, and counts for what it has already come to.
    foreseen = await asyncio.to_thread(forecast, history.complete, (last - today).days + 1)
    if foreseen is None:
        return None
    values = [Decimal(value).quantize(_CENT) for value in foreseen.days]
    rest_of_today = max(Decimal(0), values[0] - history.today)
    days = [(today + timedelta(days=number), value) for number, value in enumerate(values)]
    days[0] = (today, rest_of_today)
    return _Projection(history.of_month, foreseen, [each for each in days if each[1] or each[0] > today])


COST_TREND = Template("cost_trend", _make)
