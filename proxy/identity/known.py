"""Callers that were identified before, found again by the ledger's ids: may they still?"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from time import monotonic

from ledger.database import DatabaseUnavailable
from proxy.errors import invalid_key, unavailable
from proxy.identity.directory import Entry, Ids
from proxy.identity.lookups import Lookups
from proxy.identity.principal import Principal
from proxy.identity.refusals import inactive_organization, no_plan


class KnownCallers:
    """`find` reads the ledger (Directory.find_again); `now` gives the time that expiry is judged by."""

    def __init__(
        self,
        find: Callable[[Ids], Awaitable[Entry | None]],
        now: Callable[[], datetime],
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self._find = find
        self._now = now
        self._lookups: Lookups[Ids] = Lookups(ticks)

    async def resolve(self, ids: Ids) -> Principal:
        """The caller as of now. Raises Refusal: 401 for one that may not come any more, 403 for an organization that is
        switched off, 402 for one without a plan, 503 when the ledger can't be asked."""
        try:
            entry = await self._lookups.get(ids, partial(self._find, ids))
        except DatabaseUnavailable:
            raise unavailable(
                "The API key cannot be checked right now. Try again.", "key_check_unavailable"
            ) from None
        if entry is None:
            raise invalid_key("Incorrect API key provided: who it was given to is not known any more.")
        if not entry.caller.organization.active:
            raise inactive_organization()
        barred = entry.caller.barred(self._now())
        if barred is not None:
            raise invalid_key(f"Incorrect API key provided: {barred}.")
        if entry.principal is None:
            raise no_plan()
        return entry.principal

    def forget(self, organization_id: str) -> None:
        """Something of this organization changed, or maybe of everyone."""
        self._lookups.forget(organization_id)
