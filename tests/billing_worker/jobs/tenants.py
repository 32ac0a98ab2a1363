"""Organizations with plans, as jobs find them."""

from datetime import UTC, datetime
from typing import Any

from ledger import notifications, organizations, plans, subscriptions
from ledger.database import Pool, reading, transaction
from ledger.notifications import Notification
from ledger.pages import Slice
from ledger.plans import PlanTerms

BEGUN = datetime(2026, 10, 1, tzinfo=UTC)


async def tenant(pool: Pool, *, time_zone: str = "UTC", **terms: Any) -> tuple[str, str]:
    """The ids of a new organization and of its plan; `terms` are the plan's."""
    async with transaction(pool) as connection:
        made = await organizations.create(
            connection, "test", name="Atelier", email="office@atelier.example", time_zone=time_zone
        )
        plan = await plans.create(connection, "test", PlanTerms(name=f"Plan of {made.id}", **terms))
        await subscriptions.replace(connection, "test", made.id, plan.id, now=BEGUN)
    return made.id, plan.id


async def told(pool: Pool, organization_id: str | None = None) -> list[Notification]:
    """The oldest first."""
    async with reading(pool) as connection:
        found = await notifications.listing(connection, Slice(), organization_id=organization_id)
    return found[::-1]
