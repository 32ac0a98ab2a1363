"""The one door: whatever credential a request brings becomes a principal, or is refused."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from config.settings import Settings
from ledger.keys import PREFIX
from proxy.errors import invalid_key
from proxy.identity.api_keys import ApiKeys
from proxy.identity.ephemeral import Pass, is_ephemeral, not_here
from proxy.identity.known import KnownCallers
from proxy.identity.people import People
from proxy.identity.principal import Principal

if TYPE_CHECKING:
    from proxy.identity.tokens.trust import Trust


def trust_of(settings: Settings, now: Callable[[], datetime]) -> "Trust | None":
    """Whose access tokens are accepted; None if nobody's."""
    if not settings.keycloak.issuers:
        return None
    # A sixth of the memory of a process, which those who use API keys alone don't pay.
    from proxy.identity.tokens.trust import Trust

    return Trust(settings, now)


def is_access_token(credential: str) -> bool:
    """Whether it has the shape of a JSON Web Token. An API key never has."""
    return not credential.startswith(PREFIX) and credential.count(".") == 2


class Identities:
    """`people` is None where no issuer of access tokens is configured."""

    def __init__(self, keys: ApiKeys, people: People | None, known: KnownCallers) -> None:
        self._keys = keys
        self._people = people
        self._known = known

    async def resolve(self, credential: str) -> Principal:
        """Who brings this. Raises Refusal, as ApiKeys and People do."""
        if is_ephemeral(credential):
            raise not_here()
        if not is_access_token(credential):
            return await self._keys.resolve(credential)
        if self._people is None:
            raise invalid_key("Access tokens are not accepted here, only API keys.")
        return await self._people.resolve(credential)

    async def again(self, who: Principal | Pass) -> Principal:
        """Whoever was resolved before, as of now. Raises Refusal, as KnownCallers does."""
        return await self._known.resolve((who.organization_id, who.key_id, who.member_id))

    def forget(self, organization_id: str) -> None:
        """Something of this organization changed, or maybe of everyone."""
        self._known.forget(organization_id)
        self._keys.forget(organization_id)
        if self._people is not None:
            self._people.forget(organization_id)
