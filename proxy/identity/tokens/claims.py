"""The claims of an access token whose signature is good: whether it opens this door now, and to whom it belongs.

Source of the names: OpenID Connect Core 2 and 3.1.3.7, RFC 7519, and the mappers of Keycloak's client scopes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from pydantic import TypeAdapter, ValidationError

from ledger.members import Role
from ledger.records import Email, plain_text
from proxy.errors import invalid_key

ADMIN_ROLE: Final = "ADMIN"
LEEWAY_SECONDS: Final = 30.0
"""By how much Keycloak's clock and ours may differ."""

_LONGEST_ID: Final = 255
_EMAIL: Final = TypeAdapter[str](Email)
_ROLES: Final[Mapping[str, Role]] = {role: role for role in get_args(Role)}


@dataclass(frozen=True, slots=True)
class Person:
    """Who holds the token: `issuer` and `subject` together, whatever token it is.

    `roles` are those of the realm and of the clients that are accepted audiences; a role that some other client
    gave says nothing here. `organization_id` is None unless the token names just one. `expires_at` is in seconds
    since 1970.
    """

    issuer: str
    subject: str
    email: str | None
    organization_id: str | None
    organization_role: Role
    roles: frozenset[str]
    expires_at: float

    @property
    def is_admin(self) -> bool:
        return ADMIN_ROLE in self.roles

    def expired(self, at: float) -> bool:
        return at >= self.expires_at + LEEWAY_SECONDS


def person_of(claims: Mapping[str, Any], issuer: str, audiences: frozenset[str], at: float) -> Person:
    """Raises Refusal 401 for a token that is not for us, or not now (`at`, seconds since 1970)."""
    if claims.get("iss") != issuer:
        raise invalid_key("The access token is of another issuer than its key.")
    # An ID token or a refresh token is no credential; a bound one would need a proof that nobody sends along.
    if claims.get("typ", "Bearer") != "Bearer" or "cnf" in claims:
        raise invalid_key("The token is no bearer access token.")
    # Keycloak puts the client that asked for the token into `azp`, and itself as `account` into `aud`.
    if audiences.isdisjoint(_texts(claims.get("aud")) + _texts(claims.get("azp"))):
        raise invalid_key("The access token was issued for another audience.")
    expires_at = _check_times(claims, at)
    subject = _text(claims.get("sub"), _LONGEST_ID)
    if subject is None:
        raise invalid_key("The access token has no usable claim 'sub'.")
    return Person(
        issuer=issuer,
        subject=subject,
        email=_email(claims.get("email")),
        organization_id=_text(_one(claims.get("organization_id")), _LONGEST_ID),
        organization_role=_ROLES.get(str(_one(claims.get("organization_role"))).lower(), "member"),
        roles=frozenset(_roles(claims, audiences)),
        expires_at=expires_at,
    )


def _check_times(claims: Mapping[str, Any], at: float) -> float:
    expires_at = _time(claims, "exp")
    if expires_at is None:
        raise invalid_key("The access token has no claim 'exp'.")
    if at >= expires_at + LEEWAY_SECONDS:
        raise invalid_key("The access token has expired.")
    for name in ("nbf", "iat"):
        begins_at = _time(claims, name)
        if begins_at is not None and begins_at > at + LEEWAY_SECONDS:
            raise invalid_key("The access token is not valid yet.")
    return expires_at


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_key(f"The access token's claim '{name}' is no time.")
    return float(value)


def _roles(claims: Mapping[str, Any], audiences: Iterable[str]) -> Iterable[str]:
    clients = claims.get("resource_access")
    holders = [claims.get("realm_access")]
    if isinstance(clients, dict):
        holders += [clients.get(client) for client in audiences]
    for holder in holders:
        if isinstance(holder, dict):
            yield from _texts(holder.get("roles"))


def _texts(claim: Any) -> list[str]:
    values = claim if isinstance(claim, list) else [claim]
    return [value for value in values if isinstance(value, str)]


def _one(claim: Any) -> Any:
    # A mapper that is set to several values sends a list, also of one.
    return claim[0] if isinstance(claim, list) and len(claim) == 1 else claim


def _text(claim: Any, longest: int) -> str | None:
    try:
        return plain_text(claim) if isinstance(claim, str) and 0 < len(claim) <= longest else None
    except ValueError:
        return None


def _email(claim: Any) -> str | None:
    # In a realm that checks none, it may be anything.
    try:
        return None if claim is None else _EMAIL.validate_python(claim)
    except ValidationError:
        return None
