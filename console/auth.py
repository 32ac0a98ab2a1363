"""Who calls the console: an administrator by the admin token, or the holder of an API key."""

import hmac
from hashlib import sha256

from starlette.datastructures import Headers

from console.call import Access, Services
from ledger import callers
from ledger.callers import Caller
from ledger.database import reading
from proxy.errors import Refusal, invalid_key

ADMIN = "admin token"
_LONGEST = 4_096


class Door:
    """Opens to the one admin token. Without a token it opens to nobody."""

    def __init__(self, admin_token: str | None) -> None:
        self._admin = sha256(admin_token.encode()).digest() if admin_token else None

    async def enter(self, access: Access, headers: Headers, services: Services) -> tuple[str, Caller | None]:
        """Who calls, as the audit names it, and the holder of the API key if one was asked for.

        Raises Refusal (401), and DatabaseUnavailable where keys cannot be looked up.
        """
        if access == "anyone":
            return "anyone", None
        token = _bearer(headers)
        if access == "admin":
            if not self._is_admin(token):
                raise _unauthorized("this needs the admin token", "invalid_admin_token")
            return ADMIN, None
        async with reading(services.pool) as connection:
            caller = await callers.find(connection, services.hasher, token, services.clock())
        if caller is None:
            raise invalid_key("the API key is not valid")
        if (reason := caller.barred(services.clock())) is not None:
            raise invalid_key(reason)
        return caller.key.id, caller

    def _is_admin(self, token: str) -> bool:
        # Digests are of one length, so the time says nothing of the token's.
        presented = sha256(token.encode("utf-8", "surrogatepass")).digest()
        return self._admin is not None and hmac.compare_digest(presented, self._admin)


def _bearer(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip() or len(token) > _LONGEST:
        raise _unauthorized("send `Authorization: Bearer` and a token", "missing_token")
    return token.strip()


def _unauthorized(message: str, code: str) -> Refusal:
    return Refusal(401, message, code=code, headers=((b"www-authenticate", b"Bearer"),))
