"""API keys to principals: cached for seconds, forgotten at once when the ledger changes."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, Final

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
_PATIENCE_SECONDS: Final = 2.0
"""How long a request waits for a look-up. Longer ones go on by themselves."""
_ENTRIES: Final = 100_000
_UNKNOWN_ENTRIES: Final = 10_000
_LONGEST_KEY: Final = 512

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Cached:
    entry: KeyEntry
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
        # Keys that nobody has, apart from those that somebody has: guessing must not drive these out.
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._ledger_away = False
        self._under_way: dict[bytes, asyncio.Task[KeyEntry | None]] = {}
        self._tasks: set[asyncio.Task[KeyEntry | None]] = set()

    async def resolve(self, key: str) -> Principal:
        """The caller of this key. Raises Refusal: 401 for a key that does not open, 403 for an organization that
        is switched off, 402 for one without a plan, 503 when the ledger can't be asked."""
        if not key.startswith(PREFIX) or len(key) > _LONGEST_KEY:
            raise _incorrect(key)
        # The cache knows keys by their digest, so that a dump of the process holds none.
        digest = self._hasher.digest(key)
        cached, at = self._cache.get(digest), self._ticks()
        if cached is not None and at - cached.looked_at < FRESH_SECONDS:
            return self._judge(key, cached.entry)
        if at - self._unknown.get(digest, -math.inf) < FRESH_SECONDS:
            raise _incorrect(key)
        return self._judge(key, await self._look_up(key, digest))

    def forget(self, organization_id: str) -> None:
        """Something of this organization changed, or maybe of everyone.

        What changed for certain is gone at once. What may have changed is looked up again, and serves on if the ledger
        can't be asked.
        """
        for digest, cached in list(self._cache.items()):
            if organization_id == EVERYONE:
                cached.looked_at = -math.inf
            elif cached.entry.organization_id == organization_id:
                del self._cache[digest]
        self._unknown.clear()
        # A look-up that began before the change may bring what was true before it.
        self._under_way.clear()

    async def _look_up(self, key: str, digest: bytes) -> KeyEntry | None:
        task = self._under_way.get(digest)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._find_in_ledger(key))
            self._under_way[digest] = task
            self._tasks.add(task)
            task.add_done_callback(lambda done: self._keep(digest, done))
        if self._ledger_away and digest in self._cache:
            return self._stale(digest)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await asyncio.shield(task)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the ledger, no caller is told that its key is
            if not isinstance(error, DatabaseUnavailable | TimeoutError):
                _log.exception("a look-up of a key failed")
            self._ledger_away = True
            return self._stale(digest)

    async def _find_in_ledger(self, key: str) -> KeyEntry | None:
        return await self._find(key)

    def _keep(self, digest: bytes, task: asyncio.Task[KeyEntry | None]) -> None:
        self._tasks.discard(task)
        current = self._under_way.get(digest) is task
        if current:
            del self._under_way[digest]
        if task.cancelled() or task.exception() is not None:
            return
        self._ledger_away = False
        if not current:
            return
        entry, at = task.result(), self._ticks()
        if entry is None:
            self._cache.pop(digest, None)
            self._unknown[digest] = at
            _shorten(self._unknown, _UNKNOWN_ENTRIES)
        else:
            self._cache[digest] = _Cached(entry, at, at)
            self._cache.move_to_end(digest)
            _shorten(self._cache, _ENTRIES)

    def _stale(self, digest: bytes) -> KeyEntry:
        cached = self._cache.get(digest)
        at = self._ticks()
        if cached is None or at - cached.read_at > STALE_SECONDS:
            _log.warning("the ledger can't be asked for a key")
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


def _shorten(entries: "OrderedDict[bytes, Any]", most: int) -> None:
    while len(entries) > most:
        entries.popitem(last=False)


def _incorrect(key: str) -> Refusal:
    shown = f"{key[:6]}***" if key.isascii() and key.isprintable() and len(key) > 12 else "***"
    return invalid_key(f"Incorrect API key provided: {shown}.")
