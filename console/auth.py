"""Who calls the console: an administrator, by the admin token or by Keycloak's word; the holder of an API key; or a
member, by an access token."""

import hmac
from hashlib import sha256

from starlette.datastructures import Headers

from console.call import Access, Services
from ledger import callers
from ledger.callers import Caller
from ledger.database import reading
from proxy.errors import Refusal, invalid_key
from proxy.identity.identities import is_access_token
from proxy.identity.people import organization_of, placed
from proxy.identity.tokens.claims import ADMIN_ROLE, Person

ADMIN = "admin token"
_LONGEST = 16 * 1024


class Door:
    """Opens to the one admin token, and to administrators that Keycloak names. Without a token and without Keycloak it
    opens to nobody."""

    def __init__(self, admin_token: str | None) -> None:
        self._admin = sha256(admin_token.encode()).digest() if admin_token else None

    async def enter(self, access: Access, headers: Headers, services: Services) -> tuple[str, Caller | None]:
        """Who calls, as the audit names it, and the caller within its organization if one was asked for.

        Raises Refusal (401, 403; 503 where Keycloak's keys can't be had), and DatabaseUnavailable where keys or
        members cannot be looked up.
        """
        if access == "anyone":
            return "anyone", None
        token = _bearer(headers)
        if access == "admin" and self._is_admin(token):
            return ADMIN, None
        person = await _person(token, services)
        if access == "admin":
            return _administrator(person), None
        caller = await (_by_key(token, services) if person is None else _member(person, services))
        return _actor(caller), caller

    def _is_admin(self, token: str) -> bool:
        # Digests are of one length, so the time says nothing of the token's.
        presented = sha256(token.encode("utf-8", "surrogatepass")).digest()
        return self._admin is not None and hmac.compare_digest(presented, self._admin)


async def _person(token: str, services: Services) -> Person | None:
    """Whose access token it is; None for what is no such token, or where none are accepted."""
    if not is_access_token(token) or services.trust is None:
        return None
    return await services.trust.verify(token)


def _administrator(person: Person | None) -> str:
    if person is None:
        raise _unauthorized("this needs the admin token", "invalid_admin_token")
    if not person.is_admin:
        raise Refusal(403, f"this needs the role {ADMIN_ROLE}", code="admin_required")
    return f"{person.issuer}#{person.subject}"


async def _by_key(key: str, services: Services) -> Caller:
    async with reading(services.pool) as connection:
        caller = await callers.find(connection, services.hasher, key, services.clock())
    if caller is None:
        raise invalid_key("the API key is not valid")
    if (reason := caller.barred(services.clock())) is not None:
        raise invalid_key(reason)
    return caller


async def _member(person: Person, services: Services) -> Caller:
    return placed(await services.directory.find_person(person, organization_of(person))).caller


def _actor(caller: Caller) -> str:
    named = caller.key or caller.member
    if named is None:
        raise LookupError("a caller has a key or is a member")
    return named.id


def _bearer(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip() or len(token) > _LONGEST:
        raise _unauthorized("send `Authorization: Bearer` and a token", "missing_token")
    return token.strip()


def _unauthorized(message: str, code: str) -> Refusal:
    return Refusal(401, message, code=code, headers=((b"www-authenticate", b"Bearer"),))
