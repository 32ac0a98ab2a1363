"""How fast and how reliably models answered, day by day."""

from datetime import date

from billing_worker.reports.table import Chart, Column, Series, Table, Value, share
from billing_worker.reports.template import Asked, Template, table
from ledger.breakdown import Part
from ledger.database import Connection
from ledger.latencies import added, percentile

_COLUMNS = (
    Column("day", "day"),
    Column("upstream", "text"),
    Column("model", "text"),
    Column("requests", "count", total=True),
    Column("errors", "count", total=True),
    Column("error_rate", "percent"),
    Column("latency_p50", "milliseconds"),
    Column("latency_p95", "milliseconds"),
    Column("first_byte", "milliseconds"),
    Column("traffic", "bytes", total=True),
    Column("bandwidth", "rate"),
)


async def _make(connection: Connection, asked: Asked) -> Table:
    parts = await asked.parts(connection, ("day", "upstream", "model"))
    rows = [_row(part) for part in parts]
    return table(
        "performance",
        asked,
        _COLUMNS,
        rows,
        chart=_chart(parts),
        notes=("latency_classes", "first_byte_mean"),
    )


def _row(part: Part) -> tuple[Value, ...]:
    traffic = part.request_bytes + part.response_bytes
    return (
        *part.by,
        part.requests,
        part.errors,
        share(part.errors, part.records),
        percentile(part.latencies, 0.5),
        percentile(part.latencies, 0.95),
        round(part.first_byte_ms / part.first_bytes) if part.first_bytes else None,
        traffic,
        round(part.response_bytes * 1000 / part.duration_ms) if part.duration_ms else None,
    )


def _chart(parts: list[Part]) -> Chart:
    """Over all models of a day."""
    days: dict[date, list[tuple[int, ...]]] = {}
    for part in parts:
        days.setdefault(part.by[0], []).append(part.latencies)
    counts = [added(each) for each in days.values()]
    return Chart(
        "lines",
        "milliseconds",
        tuple(day.isoformat() for day in days),
        (
            Series("latency_p50", tuple(percentile(each, 0.5) for each in counts)),
            Series("latency_p95", tuple(percentile(each, 0.95) for each in counts)),
        ),
    )


PERFORMANCE = Template("performance", _make)
