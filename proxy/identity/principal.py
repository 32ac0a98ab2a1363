"""Who calls, resolved: the organization that pays, the key, and the terms of the plan."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from ledger.rating import Tariff
from proxy.quota.limits import Scope


@dataclass(frozen=True, slots=True)
class Terms:
    """What the plan says. `models` and `endpoints` are patterns (`gpt-4o*`); None allows all."""

    plan_id: str
    plan_name: str
    tariff: Tariff
    models: tuple[str, ...] | None
    endpoints: tuple[str, ...] | None
    allows_unpriced_models: bool

    def allows_model(self, model: str) -> bool:
        return self.models is None or any(fnmatchcase(model, pattern) for pattern in self.models)

    def allows_endpoint(self, name: str, path: str) -> bool:
        return self.endpoints is None or any(
            fnmatchcase(name, pattern) or fnmatchcase(path, pattern) for pattern in self.endpoints
        )


@dataclass(frozen=True, slots=True)
class Principal:
    """`project_id` is the one the key is bound to; `projects` are those the organization has. `scopes` are the
    holders of limits that apply, the organization first."""

    organization_id: str
    project_id: str | None
    key_id: str | None
    member_id: str | None
    projects: frozenset[str]
    partition: int
    time_zone: str
    terms: Terms
    scopes: tuple[Scope, ...]
    scope_ids: tuple[str, ...]
