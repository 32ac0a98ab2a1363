"""Periods that are over since the seller's grace period are billed and their invoices issued."""

from datetime import datetime

from billing_worker.invoicing.office import office
from billing_worker.invoicing.rounds import close_due
from billing_worker.job import Context, Report


async def closing(context: Context, at: datetime) -> Report:
    async with office(context.pool, context.settings) as clerk:
        return await close_due(clerk, at)
