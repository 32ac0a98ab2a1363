"""Which providers and models were used, and what they cost; the dearest first."""

from decimal import Decimal

from billing_worker.reports.table import Chart, Column, Series, Table, Value, money, share
from billing_worker.reports.template import Asked, Template, table
from ledger.database import Connection

_COLUMNS = (
    Column("upstream", "text"),
    Column("model", "text"),
    Column("requests", "count", total=True),
    Column("errors", "count", total=True),
    Column("input_tokens", "count", total=True),
    Column("cached_input_tokens", "count", total=True),
    Column("output_tokens", "count", total=True),
    Column("reasoning_tokens", "count", total=True),
    Column("cost", "money", currency="USD", total=True),
    Column("price", "money", currency="EUR", total=True),
    Column("share", "percent"),
)
_CHARTED = 10


async def _make(connection: Connection, asked: Asked) -> Table:
    parts = await asked.parts(connection, ("upstream", "model"))
    parts.sort(key=lambda part: (-part.price_nano_eur, -part.cost_nano_usd, part.by))
    whole = sum(part.price_nano_eur for part in parts)
    rows: list[tuple[Value, ...]] = [
        (
            *part.by,
            part.requests,
            part.errors,
            part.input_tokens,
            part.cached_input_tokens,
            part.output_tokens,
            part.reasoning_tokens,
            money(part.cost_nano_usd),
            money(part.price_nano_eur),
            share(part.price_nano_eur, whole),
        )
        for part in parts
    ]
    prices: tuple[Decimal, ...] = tuple(money(part.price_nano_eur) for part in parts[:_CHARTED])
    chart = Chart(
        "bars",
        "money",
        tuple(part.by[1] for part in parts[:_CHARTED]),
        (Series("price", prices),),
        currency="EUR",
    )
    return table("providers_models", asked, _COLUMNS, rows, chart=chart)


PROVIDERS_MODELS = Template("providers_models", _make)
