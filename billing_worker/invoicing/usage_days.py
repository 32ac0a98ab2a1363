"""What an invoice bills, day by day: the facts of its appendix."""

from decimal import Decimal
from zoneinfo import ZoneInfo

from billing_worker.documents.appendix import UsageOfDay
from ledger import closings
from ledger.database import Connection
from ledger.invoice import Invoice
from ledger.names import names_of

_NANO = -9


async def usage_days(connection: Connection, invoice: Invoice) -> list[UsageOfDay]:
    """In the order of days. Where several organizations are billed, theirs stands before the project's name."""
    rows = await closings.covered_by(connection, invoice.id)
    organizations = {row.organization_id for row in rows}
    names = await names_of(connection, organizations | {row.project_id for row in rows})
    zone = ZoneInfo(invoice.time_zone)
    days = []
    for row in rows:
        told = [row.organization_id] if len(organizations) > 1 else []
        told += [row.project_id] if row.project_id else []
        days.append(
            UsageOfDay(
                day=row.starts_at.astimezone(zone).date(),
                model=row.model,
                project=" · ".join(names.get(each, each) for each in told) or None,
                requests=row.requests,
                tokens=row.tokens,
                amount=Decimal(row.price_nano).scaleb(_NANO),
            )
        )
    return days
