"""The issuers that are trusted: owns the client that reads them, their keys, and the verifier of their tokens."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from config.outbound_client import open_client
from config.settings import Settings
from proxy.identity.tokens.issuer import FETCH_SECONDS, Issuer
from proxy.identity.tokens.keyring import KeyRing
from proxy.identity.tokens.verifier import Verifier


class Trust:
    """Opened without a call to anybody. Run `keep_fresh` beside it, `close` it in the end."""

    def __init__(self, settings: Settings, now: Callable[[], datetime]) -> None:
        keycloak = settings.keycloak
        self._client = open_client(settings.outbound, FETCH_SECONDS)
        self.issuers = keycloak.issuers
        issuers = [Issuer(name, self._client, keycloak.internal_url) for name in keycloak.issuers]
        self._rings = [KeyRing(issuer.name, issuer.keys) for issuer in issuers]
        self.verify = Verifier(self._rings, keycloak.audiences, now).verify

    async def keep_fresh(self) -> None:
        """Fetches the keys of all issuers now and then. Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            for ring in self._rings:
                group.create_task(ring.keep_fresh())

    async def close(self) -> None:
        for ring in self._rings:
            await ring.close()
        await self._client.aclose()
