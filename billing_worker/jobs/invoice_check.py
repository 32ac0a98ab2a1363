"""All usage of billed time is compared with what was billed of it."""

from datetime import datetime

from billing_worker.invoicing.office import office
from billing_worker.invoicing.rounds import check_all
from billing_worker.job import Context, Report


async def invoice_check(context: Context, at: datetime) -> Report:
    async with office(context.pool, context.settings) as clerk:
        return await check_all(clerk, at)
