"""API keys to principals."""

import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from hashlib import blake2b
from time import monotonic
from typing import Final

from ledger.database import DatabaseUnavailable
from ledger.keys import PREFIX
from proxy.errors import Refusal, invalid_key, unavailable
from proxy.identity.directory import Entry
from proxy.identity.lookups import Lookups
from proxy.identity.principal import Principal
from proxy.identity.refusals import inactive_organization, no_plan

_LONGEST_KEY: Final = 512


class ApiKeys:
    """Resolves keys. `find` reads the ledger (Directory.find); `now` gives the time that expiry is judged by."""

    def __init__(
        self,
        find: Callable[[str], Awaitable[Entry | None]],
        now: Callable[[], datetime],
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self._find = find
        self._now = now
        # The cache knows keys by a hash of this process' own, so that a dump of it holds none. It is asked for each
        # call, and costs a third of what the ledger's digest does (0.5 µs).
        self._lookups: Lookups[bytes] = Lookups(ticks)
        self._salt = os.urandom(32)

    async def resolve(self, key: str) -> Principal:
        """The caller of this key. Raises Refusal: 401 for a key that does not open, 403 for an organization that
        is switched off, 402 for one without a plan, 503 when the ledger can't be asked."""
        if not key.startswith(PREFIX) or len(key) > _LONGEST_KEY:
            raise _incorrect(key)
        name = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=32, key=self._salt).digest()
        entry = self._lookups.fresh(name)
        if entry is not None:
            return self._judge(key, entry)
        try:
            entry = await self._lookups.get(name, partial(self._find, key))
        except DatabaseUnavailable:
            raise unavailable(
                "The API key cannot be checked right now. Try again.", "key_check_unavailable"
            ) from None
        return self._judge(key, entry)

    def forget(self, organization_id: str) -> None:
        """Something of this organization changed, or maybe of everyone."""
        self._lookups.forget(organization_id)

    def _judge(self, key: str, entry: Entry | None) -> Principal:
        if entry is None:
            raise _incorrect(key)
        caller = entry.caller
        if not caller.organization.active:
            raise inactive_organization()
        barred = caller.barred(self._now())
        if barred is not None:
            raise invalid_key(f"Incorrect API key provided: {barred}.")
        if entry.principal is None:
            raise no_plan()
        return entry.principal


def _incorrect(key: str) -> Refusal:
    shown = f"{key[:6]}***" if key.isascii() and key.isprintable() and len(key) > 12 else "***"
    return invalid_key(f"Incorrect API key provided: {shown}.")
