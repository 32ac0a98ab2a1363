"""What plans bring in, for those who run the system."""

from decimal import Decimal

from billing_worker.reports.table import Chart, Column, Fact, Series, Table, Value
from billing_worker.reports.template import Asked, Template, table
from ledger.database import Connection
from ledger.revenue import PlanRevenue, by_month, by_plan

_COLUMNS = (
    Column("plan", "text"),
    Column("currency", "text"),
    Column("active", "count", total=True),
    Column("annual", "count", total=True),
    # Of two currencies, so nothing that could be added up.
    Column("mrr", "money"),
    Column("invoiced", "money"),
    Column("credited", "money"),
    Column("paid", "money"),
    Column("outstanding", "money"),
)
_MONEY = ("mrr", "invoiced", "credited", "paid", "outstanding")


async def _make(connection: Connection, asked: Asked) -> Table:
    at = min(asked.period.end, asked.at)
    plans = await by_plan(connection, asked.period, at, asked.time_zone)
    months = await by_month(connection, asked.period, asked.time_zone)
    rows: list[tuple[Value, ...]] = [
        (each.plan, each.currency, each.active, each.annual, *(getattr(each, name) for name in _MONEY))
        for each in plans
    ]
    chart = Chart(
        "bars",
        "money",
        tuple(f"{month:%Y-%m}" for month, _ in months),
        (Series("invoiced", tuple(net for _, net in months)),),
        currency="EUR",
    )
    return table("revenue", asked, _COLUMNS, rows, facts=_facts(plans), chart=chart, notes=("mrr",))


def _facts(plans: list[PlanRevenue]) -> tuple[Fact, ...]:
    """Sums of each currency that there is."""
    return tuple(
        Fact(
            name,
            "money",
            sum((getattr(each, name) for each in plans if each.currency == currency), start=Decimal(0)),
            currency,
        )
        for currency in sorted({each.currency for each in plans})
        for name in _MONEY
    )


REVENUE = Template("revenue", _make, for_admins=True)
