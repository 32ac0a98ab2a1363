"""The issuers that are trusted: owns the client that reads them, their keys, and the verifier of their tokens."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import httpx

from config.settings import Keycloak
from proxy.identity.tokens.issuer import FETCH_SECONDS, Issuer
from proxy.identity.tokens.keyring import KeyRing
from proxy.identity.tokens.verifier import Verifier


class Trust:
    """Opened without a call to anybody. Run `keep_fresh` beside it, `close` it in the end."""

    def __init__(self, settings: Keycloak, now: Callable[[], datetime]) -> None:
        self._client = httpx.AsyncClient(timeout=FETCH_SECONDS)
        self.issuers = settings.issuers
        issuers = [Issuer(name, self._client, settings.internal_url) for name in settings.issuers]
        self._rings = [KeyRing(issuer.name, issuer.keys) for issuer in issuers]
        self.verify = Verifier(self._rings, settings.audiences, now).verify

    async def keep_fresh(self) -> None:
        """Fetches the keys of all issuers now and then. Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            for ring in self._rings:
                group.create_task(ring.keep_fresh())

    async def close(self) -> None:
        for ring in self._rings:
            await ring.close()
        await self._client.aclose()
