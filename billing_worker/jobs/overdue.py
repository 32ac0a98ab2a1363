"""Invoices that nobody paid in time are marked, and their payers told."""

from datetime import datetime

from billing_worker.invoicing.office import office
from billing_worker.invoicing.rounds import tell_overdue
from billing_worker.job import Context, Report


async def overdue(context: Context, at: datetime) -> Report:
    async with office(context.pool, context.settings) as clerk:
        return await tell_overdue(clerk, at)
