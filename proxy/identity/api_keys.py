"""API keys to principals: cached for seconds, forgotten at once when the ledger changes."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Final

import structlog

from ledger.changes import EVERYONE
from ledger.database import DatabaseUnavailable
from ledger.keys import PREFIX, KeyHasher
from proxy.errors import Refusal, invalid_key, unavailable
from proxy.identity.directory import KeyEntry
from proxy.identity.principal import Principal

FRESH_SECONDS: Final = 5.0
"""How long an entry serves without a look at the ledger; a lost message of a change is noticed by then."""
STALE_SECONDS: Final = 900.0
"""How long an entry serves while the ledger is out of reach."""
_RETRY_SECONDS: Final = 1.0
_ENTRIES: Final = 100_000
_LONGEST_KEY: Final = 512

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Cached:
    entry: KeyEntry | None
    read_at: float
    looked_at: float


class ApiKeys:
    """Resolves keys. `find` reads the ledger (Directory.find); `now` gives the time that expiry is judged by.

    One look-up per key is under way at a time, however many requests wait for it. It belongs to this object and
    goes on when the request that began it is cancelled.
    """

    def __init__(
        self,
        find: Callable[[str], Awaitable[KeyEntry | None]],
        hasher: KeyHasher,
        now: Callable[[], datetime],
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self._find = find
        self._hasher = hasher
        self._now = now
        self._ticks = ticks
        self._cache: OrderedDict[bytes, _Cached] = OrderedDict()
        self._under_way: dict[bytes, asyncio.Task[KeyEntry | None]] = {}
        self._tasks: set[asyncio.Task[KeyEntry | None]] = set()

    async def resolve(self, key: str) -> Principal:
        """The caller of this key. Raises Refusal: 401 for a key that does not open, 403 for an organization that
        is switched off, 402 for one without a plan, 503 when the ledger can't be asked."""
        if not key.startswith(PREFIX) or len(key) > _LONGEST_KEY:
            raise _incorrect(key)
        # The cache knows keys by their digest, so that a dump of the process holds none.
        digest = self._hasher.digest(key)
        cached = self._cache.get(digest)
        if cached is not None and self._ticks() - cached.looked_at < FRESH_SECONDS:
            return self._judge(key, cached.entry)
        return self._judge(key, await self._look_up(key, digest))

    def forget(self, organization_id: str) -> None:
        """Something of this organization changed, or of everyone."""
        for digest, cached in list(self._cache.items()):
            entry = cached.entry
            if entry is None or organization_id in (EVERYONE, entry.organization_id):
                del self._cache[digest]
        # A look-up that began before the change may bring what was true before it.
        self._under_way.clear()

    async def _look_up(self, key: str, digest: bytes) -> KeyEntry | None:
        task = self._under_way.get(digest)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._find_in_ledger(key))
            self._under_way[digest] = task
            self._tasks.add(task)
            task.add_done_callback(lambda done: self._keep(digest, done))
        try:
            return await asyncio.shield(task)
        except DatabaseUnavailable as error:
            return self._stale(digest, error)

    async def _find_in_ledger(self, key: str) -> KeyEntry | None:
        return await self._find(key)

    def _keep(self, digest: bytes, task: asyncio.Task[KeyEntry | None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is not None:
            self._under_way.pop(digest, None)
            return
        if self._under_way.get(digest) is not task:
            return
        del self._under_way[digest]
        at = self._ticks()
        self._cache[digest] = _Cached(task.result(), at, at)
        self._cache.move_to_end(digest)
        while len(self._cache) > _ENTRIES:
            self._cache.popitem(last=False)

    def _stale(self, digest: bytes, error: Exception) -> KeyEntry | None:
        cached = self._cache.get(digest)
        at = self._ticks()
        if cached is None or at - cached.read_at > STALE_SECONDS:
            _log.warning("the ledger can't be asked for a key", error=type(error).__name__)
            raise unavailable("The API key cannot be checked right now. Try again.", "key_check_unavailable")
        cached.looked_at = at - FRESH_SECONDS + _RETRY_SECONDS
        return cached.entry

    def _judge(self, key: str, entry: KeyEntry | None) -> Principal:
        if entry is None:
            raise _incorrect(key)
        caller = entry.caller
        if not caller.organization.active:
            raise Refusal(403, "This organization is not active.", code="organization_inactive")
        barred = caller.barred(self._now())
        if barred is not None:
            raise invalid_key(f"Incorrect API key provided: {barred}.")
        if entry.principal is None:
            raise Refusal(
                402,
                "This organization has no plan at present. Choose a plan to go on.",
                type="insufficient_quota",
                code="no_active_plan",
            )
        return entry.principal


def _incorrect(key: str) -> Refusal:
    shown = f"{key[:6]}***" if key.isascii() and key.isprintable() and len(key) > 12 else "***"
    return invalid_key(f"Incorrect API key provided: {shown}.")
