"""Whose counters are compared: an organization in one of its periods, and who in it is held to limits."""

from dataclasses import dataclass
from datetime import datetime

from ledger import plans, subscriptions
from ledger.database import Connection
from ledger.limited import limited
from ledger.organizations import Organization
from ledger.partitions import partition_of
from ledger.periods import Period, month_of
from proxy.quota.limits import MARKS, Scope


@dataclass(frozen=True, slots=True)
class Account:
    """`scopes` are their ids, the organization's first; `currency` is that of its money."""

    organization_id: str
    period: Period
    currency: str
    scopes: tuple[str, ...]

    @property
    def partition(self) -> int:
        return partition_of(self.organization_id)


async def account_of(connection: Connection, organization: Organization, at: datetime) -> Account | None:
    """The organization in the period around `at`; None for one that never had a plan, and so no counters."""
    history = await subscriptions.history(connection, organization.id)
    begun = [each for each in history if each.start <= at]
    if not begun:
        return None
    plan = await plans.get(connection, begun[-1].plan_id)
    scopes = [f"o:{organization.id}"]
    for kind, identifier, limits in await limited(connection, organization.id):
        scope = Scope.of(f"{MARKS[kind]}:{identifier}", limits)
        # What bounds nothing is not counted, so what its counters once were says nothing.
        if scope.limited:
            scopes.append(scope.id)
    return Account(organization.id, month_of(at, organization.time_zone), plan.currency, tuple(scopes))
