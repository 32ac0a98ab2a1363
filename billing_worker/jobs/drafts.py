"""Drafts of all running periods are worked out anew, so that whoever looks sees what it comes to so far."""

from datetime import datetime

from billing_worker.invoicing.office import office
from billing_worker.invoicing.rounds import refresh_all
from billing_worker.job import Context, Report


async def drafts(context: Context, at: datetime) -> Report:
    async with office(context.pool, context.settings) as clerk:
        return await refresh_all(clerk, at)
