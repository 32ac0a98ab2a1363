"""What each day cost, and what the month will come to if it goes on like this."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from billing_worker.insights.month import MonthAhead, month_ahead
from billing_worker.reports.table import Chart, Column, Fact, Series, Table, Value, money
from billing_worker.reports.template import Asked, Template, table
from ledger.database import Connection

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
    # A projection belongs to a report that reaches the present.
    reaches_now = asked.period.start <= asked.at <= asked.period.end + timedelta(hours=1)
    month = await _month(connection, asked) if reaches_now else None
    rows: list[tuple[Value, ...]] = []
    sums: dict[date, Decimal] = {}
    for day, part in known.items():
        first = day.replace(day=1)
        sums[first] = sums.get(first, Decimal(0)) + money(part.price_nano_eur)
        rows.append((day, "actual", money(part.cost_nano_usd), money(part.price_nano_eur), sums[first]))
    chart_days = [day.isoformat() for day in known]
    actual: list[Decimal | None] = [money(part.price_nano_eur) for part in known.values()]
    foreseen: list[Decimal | None] = [None] * len(actual)
    if month is not None:
        so_far = month.so_far
        for day, value in month.days:
            if day in known and not value:
                continue
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
    facts = () if month is None else _facts(month)
    notes: tuple[str, ...] = ()
    if month is not None:
        notes = ("projection",) if month.low is not None else ("too_short",)
    made = table("cost_trend", asked, _COLUMNS, rows, facts=facts, chart=chart, notes=notes)
    price = sum((money(part.price_nano_eur) for part in parts), start=Decimal(0))
    return replace(made, totals={**made.totals, "price": price})


async def _month(connection: Connection, asked: Asked) -> MonthAhead | None:
    return await month_ahead(connection, asked.wanted, asked.at, asked.time_zone, asked.archive)


def _facts(month: MonthAhead) -> tuple[Fact, ...]:
    found = [
        Fact("month_to_date", "money", month.so_far, "EUR"),
        Fact("projection", "money", month.total.quantize(_CENT), "EUR"),
    ]
    if month.low is not None and month.high is not None:
        found.append(Fact("low", "money", month.low, "EUR"))
        found.append(Fact("high", "money", month.high, "EUR"))
    return tuple(found)


COST_TREND = Template("cost_trend", _make)
