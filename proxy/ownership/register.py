"""The register of who owns what: in Redis for the moment, in the ledger for good.

An object is entered in Redis as soon as an answer brings it, and rides on the usage record into Postgres. So it is
found by every proxy at once, and still when Redis has lost it.
"""

import asyncio
from collections.abc import Collection
from typing import Final

import structlog

from ledger import upstream_objects
from ledger.database import DatabaseUnavailable, Pool, reading
from proxy.errors import Refusal, unavailable
from proxy.identity.principal import Principal
from proxy.pipeline import RedisPipeline, RedisReplyError, RedisUnavailable
from proxy.quota import keys

_KEEP_SECONDS: Final = 2 * 86_400
"""How long Redis remembers; by then the record has long been in the ledger."""

_log = structlog.get_logger(__name__)


class Register:
    def __init__(self, redis: RedisPipeline, pool: Pool) -> None:
        self._redis = redis
        self._pool = pool

    def enter(self, principal: Principal, ids: Collection[str]) -> None:
        """These belong to the principal's organization from now on. Waits for nothing."""
        for identifier in ids:
            name = keys.owned(principal.partition, principal.organization_id, identifier)
            try:
                reply = self._redis.send("SET", name, 1, "EX", _KEEP_SECONDS)
            except RedisUnavailable:
                return  # the usage record brings it to the ledger
            reply.add_done_callback(_look)

    async def require(self, principal: Principal, ids: Collection[str]) -> None:
        """Raises Refusal: 404 for an id that is not the organization's, 503 when nobody can tell."""
        if not ids:
            return
        owned = await self.owned(principal, ids)
        for each in sorted(ids):
            if each not in owned:
                raise Refusal(404, f"No object found with id '{each[:100]}'.", code="not_found")

    async def owned(self, principal: Principal, ids: Collection[str]) -> set[str]:
        """Those of `ids` that are the organization's. Raises Refusal 503 when nobody can tell."""
        entered = await self._entered(principal, ids)
        missing = [each for each in ids if each not in entered]
        if not missing:
            return entered
        try:
            async with reading(self._pool) as connection:
                known = await upstream_objects.owned(connection, principal.organization_id, missing)
        except DatabaseUnavailable:
            raise unavailable(
                "It cannot be checked right now whose objects these are. Try again.", "ownership_unavailable"
            ) from None
        self.enter(principal, known)
        return entered | known

    async def _entered(self, principal: Principal, ids: Collection[str]) -> set[str]:
        names = [keys.owned(principal.partition, principal.organization_id, each) for each in ids]
        try:
            found = await asyncio.gather(*(self._redis.send("EXISTS", name) for name in names))
        except (RedisUnavailable, RedisReplyError):
            return set()
        return {each for each, there in zip(ids, found, strict=True) if there}


def _look(reply: "asyncio.Future[object]") -> None:
    if not reply.cancelled() and (error := reply.exception()) is not None:
        _log.warning("an object could not be entered in Redis", reason=type(error).__name__)
