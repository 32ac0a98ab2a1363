"""Who calls, as the ledger knows them: cached for seconds, forgotten at once when the ledger changes."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, Generic, TypeVar

import structlog

from ledger.changes import EVERYONE
from ledger.database import DatabaseUnavailable
from proxy.identity.directory import Entry

FRESH_SECONDS: Final = 5.0
"""How long an entry serves without a look at the ledger; a lost message of a change is noticed by then."""
STALE_SECONDS: Final = 900.0
"""How long an entry serves while the ledger is out of reach."""
_RETRY_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 2.0
"""How long a request waits for a look-up. Longer ones go on by themselves."""
_ENTRIES: Final = 100_000
_UNKNOWN_ENTRIES: Final = 10_000

_log = structlog.get_logger(__name__)

NameT = TypeVar("NameT", bound=Hashable)


@dataclass(slots=True)
class _Cached:
    entry: Entry
    read_at: float
    looked_at: float
    fresh_for: float


class Lookups(Generic[NameT]):
    """Entries by a name that holds no secret.

    One look-up per name is under way at a time, however many requests wait for it. It belongs to this object and
    goes on when the request that began it is cancelled.
    """

    def __init__(self, ticks: Callable[[], float] = monotonic) -> None:
        self._ticks = ticks
        self._cache: OrderedDict[NameT, _Cached] = OrderedDict()
        # Names that nobody has, apart from those that somebody has: guessing must not drive these out.
        self._unknown: OrderedDict[NameT, float] = OrderedDict()
        self._ledger_away = False
        self._under_way: dict[NameT, asyncio.Task[Entry | None]] = {}
        self._tasks: set[asyncio.Task[Entry | None]] = set()

    async def get(self, name: NameT, find: Callable[[], Awaitable[Entry | None]]) -> Entry | None:
        """What the ledger says of the name, asked by `find` if need be; None for one that nobody has.

        Raises DatabaseUnavailable where the ledger can't be asked and what it said is too old.
        """
        entry = self.fresh(name)
        if entry is not None or self._ticks() - self._unknown.get(name, -math.inf) < FRESH_SECONDS:
            return entry
        return await self._look_up(name, find)

    def fresh(self, name: NameT) -> Entry | None:
        """What the ledger said just now; None where it must be asked."""
        cached = self._cache.get(name)
        if cached is not None and self._ticks() - cached.looked_at < cached.fresh_for:
            return cached.entry
        return None

    def forget(self, organization_id: str) -> None:
        """Something of this organization changed, or maybe of everyone.

        What changed for certain is gone at once. What may have changed is looked up again, and serves on if the ledger
        can't be asked.
        """
        for name, cached in list(self._cache.items()):
            if organization_id == EVERYONE:
                cached.looked_at = -math.inf
            elif cached.entry.organization_id == organization_id:
                del self._cache[name]
        self._unknown.clear()
        # A look-up that began before the change may bring what was true before it.
        self._under_way.clear()

    async def _look_up(self, name: NameT, find: Callable[[], Awaitable[Entry | None]]) -> Entry | None:
        task = self._under_way.get(name)
        if task is None:
            task = asyncio.get_running_loop().create_task(_found(find))
            self._under_way[name] = task
            self._tasks.add(task)
            task.add_done_callback(lambda done: self._keep(name, done))
        if self._ledger_away and name in self._cache:
            return self._stale(name)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await asyncio.shield(task)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the ledger, no caller is told that it is to blame
            if not isinstance(error, DatabaseUnavailable | TimeoutError):
                _log.exception("a look-up of a caller failed")
            self._ledger_away = True
            return self._stale(name)

    def _keep(self, name: NameT, task: asyncio.Task[Entry | None]) -> None:
        self._tasks.discard(task)
        current = self._under_way.get(name) is task
        if current:
            del self._under_way[name]
        if task.cancelled() or task.exception() is not None:
            return
        self._ledger_away = False
        if not current:
            return
        entry, at = task.result(), self._ticks()
        if entry is None:
            self._cache.pop(name, None)
            self._unknown[name] = at
            _shorten(self._unknown, _UNKNOWN_ENTRIES)
        else:
            self._cache[name] = _Cached(entry, at, at, min(FRESH_SECONDS, entry.fresh_for))
            self._cache.move_to_end(name)
            _shorten(self._cache, _ENTRIES)

    def _stale(self, name: NameT) -> Entry:
        cached = self._cache.get(name)
        at = self._ticks()
        if cached is None or at - cached.read_at > STALE_SECONDS:
            _log.warning("the ledger can't be asked who calls")
            raise DatabaseUnavailable("who calls can't be looked up")
        cached.looked_at = at - FRESH_SECONDS + _RETRY_SECONDS
        return cached.entry


async def _found(find: Callable[[], Awaitable[Entry | None]]) -> Entry | None:
    return await find()


def _shorten(entries: "OrderedDict[NameT, Any]", most: int) -> None:
    while len(entries) > most:
        entries.popitem(last=False)
