"""Usage in detail: by day, project, key, model and endpoint."""

from decimal import Decimal

from billing_worker.reports.table import Chart, Column, Series, Table, Value, money
from billing_worker.reports.template import Asked, Template, named, table
from ledger.breakdown import Part
from ledger.database import Connection

_COLUMNS = (
    Column("day", "day"),
    Column("organization", "text"),
    Column("project", "text"),
    Column("key", "text"),
    Column("model", "text"),
    Column("endpoint", "text"),
    Column("requests", "count", total=True),
    Column("input_tokens", "count", total=True),
    Column("cached_input_tokens", "count", total=True),
    Column("output_tokens", "count", total=True),
    Column("total_tokens", "count", total=True),
    Column("cost", "money", currency="USD", total=True),
    Column("price", "money", currency="EUR", total=True),
)


async def _make(connection: Connection, asked: Asked) -> Table:
    parts = await asked.parts(
        connection, ("day", "organization_id", "project_id", "key_id", "model", "endpoint")
    )
    names = await named(connection, {identifier for part in parts for identifier in part.by[1:4]})
    rows: list[tuple[Value, ...]] = [
        (
            part.by[0],
            *(names[identifier] for identifier in part.by[1:4]),
            *part.by[4:],
            part.requests,
            part.input_tokens,
            part.cached_input_tokens,
            part.output_tokens,
            part.total_tokens,
            money(part.cost_nano_usd),
            money(part.price_nano_eur),
        )
        for part in parts
    ]
    return table("usage", asked, _COLUMNS, rows, chart=by_day(parts))


def by_day(parts: list[Part]) -> Chart:
    """Tokens of each day that has any."""
    days: dict[str, int] = {}
    for part in parts:
        day = part.by[0].isoformat()
        days[day] = days.get(day, 0) + part.total_tokens
    return Chart(
        "bars", "count", tuple(days), (Series("total_tokens", tuple(Decimal(n) for n in days.values())),)
    )


USAGE = Template("usage", _make)
