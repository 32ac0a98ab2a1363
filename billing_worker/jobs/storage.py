"""What each project keeps upstream is counted anew once a day."""

from datetime import datetime

from billing_worker.job import Context, Report
from ledger import project_storage
from ledger.database import transaction

SECONDS = 300.0


async def storage(context: Context, at: datetime) -> Report:
    async with transaction(context.pool) as connection:
        projects = await project_storage.count(connection, at, timeout=SECONDS)
    return {"projects": projects}
