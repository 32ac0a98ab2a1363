"""Principals in the ledger: an API key's digest to everything a request needs to know of its caller."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from ledger.database import Pool, reading
from ledger.limits import Limits
from ledger.partitions import partition_of
from ledger.rating import PriceRule, Tariff
from proxy.identity.principal import Principal, Terms
from proxy.quota.limits import Scope

_QUERY: Final = """
    select k.id as key_id, k.organization_id, k.project_id, k.member_id, k.limits as key_limits,
           k.expires_at, k.revoked_at, o.active, o.time_zone,
           p.id as plan_id, p.name as plan_name, p.currency, p.monthly_quota, p.price_per_request, p.price_rules,
           p.overage, p.limits as plan_limits, p.models, p.endpoints, p.unpriced_models,
           array(select id from project where organization_id = o.id and active) as projects
      from api_key k
      join organization o on o.id = k.organization_id
      left join subscription s on s.organization_id = o.id
           and s.starts_at <= now() and (s.ends_at is null or s.ends_at > now())
      left join plan p on p.id = s.plan_id
     where k.digest = $1
"""


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """What the ledger says of one key. `principal` is None where the organization has no plan now."""

    organization_id: str
    expires_at: datetime | None
    revoked: bool
    active: bool
    principal: Principal | None


class Directory:
    """Reads API keys from Postgres. Each look-up is bounded by `timeout` seconds."""

    def __init__(self, pool: Pool, timeout: float = 2.0) -> None:
        self._pool = pool
        self._timeout = timeout

    async def find(self, digest: bytes) -> KeyEntry | None:
        """Raises DatabaseUnavailable when the ledger can't be asked."""
        async with reading(self._pool, acquire_seconds=self._timeout) as connection:
            row = await connection.fetchrow(_QUERY, digest, timeout=self._timeout)
        return None if row is None else _entry(row)


def _entry(row: asyncpg.Record) -> KeyEntry:
    return KeyEntry(
        organization_id=row["organization_id"],
        expires_at=row["expires_at"],
        revoked=row["revoked_at"] is not None,
        active=row["active"],
        principal=_principal(row) if row["plan_id"] is not None else None,
    )


def _principal(row: asyncpg.Record) -> Principal:
    scopes = [Scope.of(f"o:{row['organization_id']}", _plan_limits(row))]
    key = Scope.of(f"k:{row['key_id']}", Limits.model_validate(row["key_limits"]))
    if key.limited:
        scopes.append(key)
    return Principal(
        organization_id=row["organization_id"],
        project_id=row["project_id"],
        key_id=row["key_id"],
        member_id=row["member_id"],
        projects=frozenset(row["projects"]),
        partition=partition_of(row["organization_id"]),
        time_zone=row["time_zone"],
        terms=_terms(row),
        scopes=tuple(scopes),
        scope_ids=tuple(scope.id for scope in scopes),
    )


def _plan_limits(row: asyncpg.Record) -> Limits:
    """The plan's limits; a quota whose overage is refused is a limit of tokens per month as well."""
    limits = Limits.model_validate(row["plan_limits"])
    if row["overage"] == "refuse" and row["monthly_quota"] >= 0:
        tokens = [n for n in (limits.tokens_per_month, row["monthly_quota"]) if n >= 0]
        limits = limits.model_copy(update={"tokens_per_month": min(tokens)})
    return limits


def _terms(row: asyncpg.Record) -> Terms:
    rules = tuple(PriceRule.model_validate(rule) for rule in row["price_rules"])
    return Terms(
        plan_id=row["plan_id"],
        plan_name=row["plan_name"],
        tariff=Tariff(rules, row["price_per_request"], row["currency"]),
        models=_patterns(row["models"]),
        endpoints=_patterns(row["endpoints"]),
        allows_unpriced_models=row["unpriced_models"] == "allow",
    )


def _patterns(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
