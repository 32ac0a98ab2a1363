"""The keys of one issuer, kept: fetched again when they age, and once when a token names one that is not known."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

import structlog

from proxy.identity.tokens.issuer import KeysUnavailable
from proxy.identity.tokens.signing_keys import SigningKey

REFRESH_SECONDS: Final = 600.0
"""How often keys are fetched anyway; one that the issuer withdrew opens nothing any more by then."""
COOLDOWN_SECONDS: Final = 30.0
"""Between two fetches for keys that are not known, whoever invents them."""
RETRY_SECONDS: Final = 2.0
"""Between two fetches while the issuer is away."""
OLDEST_SECONDS: Final = 24 * 3600.0
"""How long keys serve while the issuer is away: an outage of a day is survived, a withdrawn key not for ever."""
_PATIENCE_SECONDS: Final = 2.0
"""How long a request waits for a fetch. Longer ones go on by themselves."""

_log = structlog.get_logger(__name__)


class KeyRing:
    """`fetch` reads the issuer (Issuer.keys). One fetch is under way at a time; it belongs to this object and goes
    on when the request that began it is cancelled."""

    def __init__(
        self,
        issuer: str,
        fetch: Callable[[], Awaitable[dict[str, SigningKey]]],
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self.issuer = issuer
        self._fetch = fetch
        self._ticks = ticks
        self._keys: dict[str, SigningKey] = {}
        self._fetched_at = -math.inf
        self._failed_at: float | None = None
        self._sought_at = -math.inf
        self._under_way: asyncio.Task[None] | None = None

    async def key(self, kid: str) -> SigningKey | None:
        """The issuer's key of this name, None if it has none. Raises KeysUnavailable where that can't be known."""
        if (known := self._known(kid)) is not None:
            return known
        if self._under_way is not None or self._may_seek():
            if self._under_way is None and self._fresh:
                self._sought_at = self._ticks()
            await self._wait(self._begin())
        if self._failed_at is not None or not self._fresh:
            raise KeysUnavailable("the issuer is away")
        return self._known(kid)

    def holds(self, key: SigningKey) -> bool:
        """Whether this key, once given out, is still the issuer's."""
        return self._known(key.kid) is key

    async def keep_fresh(self) -> None:
        """Runs until cancelled."""
        while True:
            await asyncio.shield(self._begin())
            await asyncio.sleep(REFRESH_SECONDS if self._failed_at is None else COOLDOWN_SECONDS)

    async def close(self) -> None:
        if (task := self._under_way) is not None:
            task.cancel()
            await asyncio.wait([task], timeout=2)

    @property
    def _fresh(self) -> bool:
        return self._ticks() - self._fetched_at < OLDEST_SECONDS

    def _known(self, kid: str) -> SigningKey | None:
        return self._keys.get(kid) if self._fresh else None

    def _may_seek(self) -> bool:
        at = self._ticks()
        if self._failed_at is not None:
            return at - self._failed_at >= RETRY_SECONDS
        return not self._fresh or at - self._sought_at >= COOLDOWN_SECONDS

    async def _wait(self, task: "asyncio.Task[None]") -> None:
        await asyncio.wait([task], timeout=_PATIENCE_SECONDS)
        if not task.done() or task.cancelled():
            raise KeysUnavailable("the issuer takes too long")

    def _begin(self) -> "asyncio.Task[None]":
        if self._under_way is None:
            self._under_way = asyncio.get_running_loop().create_task(self._renew())
        return self._under_way

    async def _renew(self) -> None:
        try:
            found = await self._fetch()
        except KeysUnavailable as error:
            self._failed_at = self._ticks()
            _log.warning("an issuer's keys can't be read", issuer=self.issuer, reason=str(error)[:200])
        except Exception:  # noqa: BLE001 - a defect of ours must not end the keys that are known
            self._failed_at = self._ticks()
            _log.exception("reading an issuer's keys failed", issuer=self.issuer)
        else:
            # A key that stays is the same object as before: `holds` need not compare.
            self._keys = {
                kid: old if (old := self._keys.get(kid)) == key else key for kid, key in found.items()
            }
            self._fetched_at, self._failed_at = self._ticks(), None
        finally:
            self._under_way = None
