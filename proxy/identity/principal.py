"""Who calls, resolved: the organization that pays, the key, and the terms of the plan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ledger.rating import Tariff
from proxy.quota.limits import Scope
from proxy.quota.scopes import Scopes


@dataclass(frozen=True, slots=True)
class Terms:
    """What the plan says. `models` and `endpoints` are patterns (`gpt-4o*`); None allows all."""

    plan_id: str
    plan_name: str
    tariff: Tariff
    models: tuple[str, ...] | None
    endpoints: tuple[str, ...] | None
    allows_unpriced_models: bool
    bounded_without_redis: bool = False
    """While Redis can't be asked, its requests go on within an allowance; others are refused."""

    def allows_model(self, model: str) -> bool:
        return self.models is None or any(fnmatchcase(model, pattern) for pattern in self.models)

    def allows_endpoint(self, name: str, path: str) -> bool:
        return self.endpoints is None or any(
            fnmatchcase(name, pattern) or fnmatchcase(path, pattern) for pattern in self.endpoints
        )


@dataclass(frozen=True, slots=True, eq=False)
class Principal:
    """`project_id` is the one the key is bound to. `organization`, `key`, `member` and each of the organization's
    `projects` hold limits; `separate_projects`: what one of them created upstream is closed to the others. Whoever
    comes with an access token has no key, but maybe `roles` in Keycloak."""

    organization_id: str
    project_id: str | None
    key_id: str | None
    member_id: str | None
    partition: int
    time_zone: str
    terms: Terms
    organization: Scope
    key: Scope | None
    member: Scope | None
    projects: Mapping[str, Scope]
    separate_projects: bool = False
    roles: frozenset[str] = frozenset()
    is_admin: bool = False
    _scopes: dict[str | None, Scopes] = field(default_factory=dict, init=False, repr=False)

    def scopes(self, project_id: str | None) -> Scopes:
        """The holders of limits that apply to a request for this project, the organization first. The organization
        is always counted; another scope only where it limits something."""
        known = self._scopes.get(project_id)
        if known is not None:
            return known
        others = [scope for scope in (self.key, self.member) if scope is not None]
        if project_id is not None and project_id in self.projects:
            others.insert(0, self.projects[project_id])
        scopes = Scopes((self.organization, *(scope for scope in others if scope.limited)))
        if project_id is None or project_id in self.projects:
            self._scopes[project_id] = scopes
        return scopes
