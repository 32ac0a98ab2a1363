"""Principals in the ledger: an API key to everything a request needs to know of its caller."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from ledger import callers, projects
from ledger.callers import Caller
from ledger.database import Pool, reading
from ledger.keys import KeyHasher
from ledger.partitions import partition_of
from ledger.plans import Plan
from ledger.projects import Project
from ledger.rating import Tariff
from proxy.identity.principal import Principal, Terms
from proxy.quota.limits import Scope


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """What the ledger says of one key. `principal` is None where the organization has no plan now."""

    caller: Caller
    principal: Principal | None

    @property
    def organization_id(self) -> str:
        return self.caller.organization.id


class Directory:
    """Reads API keys from Postgres; `timeout` (seconds) bounds the wait for a connection."""

    def __init__(
        self, pool: Pool, hasher: KeyHasher, now: Callable[[], datetime], timeout: float = 2.0
    ) -> None:
        self._pool = pool
        self._hasher = hasher
        self._now = now
        self._timeout = timeout

    async def find(self, key: str) -> KeyEntry | None:
        """Raises DatabaseUnavailable when the ledger can't be asked."""
        async with reading(self._pool, acquire_seconds=self._timeout) as connection:
            caller = await callers.find(connection, self._hasher, key, self._now())
            if caller is None:
                return None
            owned = await projects.active_ones(connection, caller.organization.id)
        principal = None if caller.plan is None else _principal(caller, caller.plan, owned)
        return KeyEntry(caller, principal)


def _principal(caller: Caller, plan: Plan, owned: Iterable[Project]) -> Principal:
    organization, key = caller.organization, caller.key
    return Principal(
        organization_id=organization.id,
        project_id=key.project_id,
        key_id=key.id,
        member_id=key.member_id,
        partition=partition_of(organization.id),
        time_zone=organization.time_zone,
        terms=Terms(
            plan_id=plan.id,
            plan_name=plan.name,
            tariff=Tariff(plan.price_rules, plan.price_per_request, plan.currency),
            models=plan.models,
            endpoints=plan.endpoints,
            allows_unpriced_models=plan.unpriced_models == "allow",
        ),
        organization=Scope.of(f"o:{organization.id}", plan.effective_limits),
        key=Scope.of(f"k:{key.id}", key.limits),
        projects={project.id: Scope.of(f"p:{project.id}", project.limits) for project in owned},
    )
