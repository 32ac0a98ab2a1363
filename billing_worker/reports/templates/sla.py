"""Whether what was promised was kept, organization by organization."""

from billing_worker.reports.table import Column, Table, Value, share
from billing_worker.reports.template import Asked, Template, TooLargeError, named, table
from ledger.breakdown import Part
from ledger.database import Connection
from ledger.latencies import added, percentile

_COLUMNS = (
    Column("organization", "text"),
    Column("requests", "count", total=True),
    Column("errors", "count", total=True),
    Column("error_rate", "percent"),
    Column("hours_used", "count", total=True),
    Column("hours_down", "count", total=True),
    Column("uptime", "percent"),
    Column("latency_p50", "milliseconds"),
    Column("latency_p95", "milliseconds"),
)
MAX_HOURS = 500_000


async def _make(connection: Connection, asked: Asked) -> Table:
    hours = await asked.parts(connection, ("organization_id", "hour"), limit=MAX_HOURS + 1)
    if len(hours) > MAX_HOURS:
        raise TooLargeError
    by_organization: dict[str, list[Part]] = {}
    for part in hours:
        by_organization.setdefault(part.by[0], []).append(part)
    names = await named(connection, set(by_organization))
    rows: list[tuple[Value, ...]] = []
    for identifier, parts in by_organization.items():
        records, errors = sum(part.records for part in parts), sum(part.errors for part in parts)
        down = sum(1 for part in parts if part.errors * 2 > part.records)
        latencies = added(part.latencies for part in parts)
        rows.append(
            (
                names[identifier],
                sum(part.requests for part in parts),
                errors,
                share(errors, records),
                len(parts),
                down,
                share(len(parts) - down, len(parts)),
                percentile(latencies, 0.5),
                percentile(latencies, 0.95),
            )
        )
    return table("sla", asked, _COLUMNS, rows, notes=("uptime_hours", "latency_classes"))


SLA = Template("sla", _make)
