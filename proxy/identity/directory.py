"""Principals in the ledger: an API key or a person to everything a request needs to know of its caller."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from ledger import callers, members, projects
from ledger.callers import Caller
from ledger.database import Connection, Pool, reading
from ledger.errors import ConflictError, PlanLimitError
from ledger.keys import KeyHasher
from ledger.members import Member
from ledger.partitions import partition_of
from ledger.plans import Plan
from ledger.projects import Project
from ledger.rating import Tariff
from ledger.token_packs import raised
from proxy.identity.principal import Principal, Terms
from proxy.identity.tokens.claims import Person
from proxy.quota.limits import Scope

Ids = tuple[str, str | None, str | None]
"""Of an organization, and of a key and a member in it, where there is one."""

_ACTOR: Final = "keycloak"
"""Who the audit names where a person joins by a token."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger says of one key or person. `principal` is None where the organization has no plan now."""

    caller: Caller
    principal: Principal | None
    fresh_for: float = math.inf
    """Seconds that it may be kept; then it will be otherwise."""

    @property
    def organization_id(self) -> str:
        return self.caller.organization.id


class Directory:
    """Reads callers from Postgres; `timeout` (seconds) bounds the wait for a connection."""

    def __init__(
        self, pool: Pool, hasher: KeyHasher, now: Callable[[], datetime], timeout: float = 2.0
    ) -> None:
        self._pool = pool
        self._hasher = hasher
        self._now = now
        self._timeout = timeout

    async def find(self, key: str) -> Entry | None:
        """Raises DatabaseUnavailable when the ledger can't be asked."""
        async with reading(self._pool, acquire_seconds=self._timeout) as connection:
            caller = await callers.find(connection, self._hasher, key, self._now())
            return None if caller is None else await _entry(connection, caller, self._now())

    async def find_again(self, ids: Ids) -> Entry | None:
        """Raises DatabaseUnavailable."""
        async with reading(self._pool, acquire_seconds=self._timeout) as connection:
            caller = await callers.again(connection, *ids, self._now())
            return None if caller is None else await _entry(connection, caller, self._now())

    async def find_person(self, person: Person, organization_id: str) -> Entry | None:
        """The person as a member of the organization; None if there is no such organization.

        Who was never seen there becomes a member now, with the role that the token names, as long as the plan allows
        one more; the caller is without a member if not. Raises DatabaseUnavailable.
        """
        async with reading(self._pool, acquire_seconds=self._timeout) as connection:
            caller = await callers.of_person(
                connection, organization_id, person.issuer, person.subject, self._now()
            )
            if caller is None:
                return None
            if caller.member is None and caller.organization.active:
                caller = replace(caller, member=await self._join(connection, person, organization_id))
            return await _entry(connection, caller, self._now())

    async def _join(self, connection: Connection, person: Person, organization_id: str) -> Member | None:
        try:
            async with connection.transaction():
                return await members.create(
                    connection,
                    _ACTOR,
                    organization_id,
                    keycloak_user_id=person.subject,
                    now=self._now(),
                    issuer=person.issuer,
                    email=person.email,
                    role=person.organization_role,
                )
        except PlanLimitError:
            return None
        except ConflictError:
            # Another process saw the person first.
            return await members.of_person(connection, organization_id, person.issuer, person.subject)


async def _entry(connection: Connection, caller: Caller, at: datetime) -> Entry:
    owned = await projects.active_ones(connection, caller.organization.id)
    fresh_for = math.inf if caller.changes_at is None else (caller.changes_at - at).total_seconds()
    return Entry(
        caller, None if caller.plan is None else _principal(caller, caller.plan, owned, at), fresh_for
    )


def _principal(caller: Caller, plan: Plan, owned: Iterable[Project], at: datetime) -> Principal:
    organization, key, member = caller.organization, caller.key, caller.member
    return Principal(
        organization_id=organization.id,
        project_id=None if key is None else key.project_id,
        key_id=None if key is None else key.id,
        member_id=None if member is None else member.id,
        partition=partition_of(organization.id),
        time_zone=organization.time_zone,
        terms=Terms(
            plan_id=plan.id,
            plan_name=plan.name,
            tariff=Tariff(plan.price_rules, plan.price_per_request, plan.currency),
            models=plan.models,
            endpoints=plan.endpoints,
            allows_unpriced_models=plan.unpriced_models == "allow",
            bounded_without_redis=plan.on_redis_loss == "bounded",
        ),
        organization=Scope.of(f"o:{organization.id}", raised(plan.effective_limits, caller.packs, at)),
        key=None if key is None else Scope.of(f"k:{key.id}", key.limits),
        member=None if member is None else Scope.of(f"m:{member.id}", member.limits),
        projects={project.id: Scope.of(f"p:{project.id}", project.limits) for project in owned},
        separate_projects=organization.separate_projects,
    )
