"""The register of who owns what: in Redis for the moment, in the ledger for good.

An object is entered in Redis as soon as an answer brings it, and rides on the usage record into Postgres. So it is
found by every proxy at once, and still when Redis has lost it. Where an organization keeps its projects apart, a
project owns what it created; what was created, or is asked for, outside of all projects is open to the organization.
"""

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

import structlog

from ledger import upstream_objects
from ledger.database import DatabaseUnavailable, Pool, reading
from ledger.upstream_objects import Place
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

    def enter(self, principal: Principal, objects: Mapping[str, Place]) -> None:
        """These belong to the principal's organization from now on, by id. Waits for nothing."""
        for identifier, place in objects.items():
            name = keys.owned(principal.partition, principal.organization_id, identifier)
            try:
                reply = self._redis.send("SET", name, _written(place), "EX", _KEEP_SECONDS)
            except RedisUnavailable:
                return  # the usage record brings it to the ledger
            reply.add_done_callback(_look)

    async def require(
        self, principal: Principal, project_id: str | None, ids: Collection[str]
    ) -> Mapping[str, Place]:
        """Where these lie. Raises Refusal: 404 for an id that is not the caller's, 503 when nobody can tell."""
        if not ids:
            return {}
        owned = await self.owned(principal, project_id, ids)
        for each in sorted(ids):
            if each not in owned:
                raise nothing_with(each)
        return owned

    async def owned(
        self, principal: Principal, project_id: str | None, ids: Collection[str]
    ) -> Mapping[str, Place]:
        """Those of `ids` that whoever calls for this project may use. Raises Refusal 503 when nobody can tell."""
        known = await self._known(principal, ids)
        if not principal.separate_projects or project_id is None:
            return known
        return {each: place for each, place in known.items() if place.project_id in (None, project_id)}

    async def newest(
        self, principal: Principal, project_id: str | None, kind: str, before: datetime, most: int
    ) -> list[str]:
        """Ids of what whoever calls for this project may use of a kind, as the ledger has it, newest first. Raises
        Refusal 503 when nobody can tell."""
        apart = project_id if principal.separate_projects else None
        try:
            async with reading(self._pool) as connection:
                found = await upstream_objects.newest(
                    connection, principal.organization_id, kind, before, most, apart
                )
        except DatabaseUnavailable:
            raise _nobody_knows() from None
        self.enter(principal, dict(found))
        return [identifier for identifier, _ in found]

    async def _known(self, principal: Principal, ids: Collection[str]) -> dict[str, Place]:
        entered = await self._entered(principal, ids)
        missing = [each for each in ids if each not in entered]
        if not missing:
            return entered
        try:
            async with reading(self._pool) as connection:
                known = await upstream_objects.owned(connection, principal.organization_id, missing)
        except DatabaseUnavailable:
            raise _nobody_knows() from None
        self.enter(principal, known)
        return entered | known

    async def _entered(self, principal: Principal, ids: Collection[str]) -> dict[str, Place]:
        names = [keys.owned(principal.partition, principal.organization_id, each) for each in ids]
        try:
            found = await asyncio.gather(*(self._redis.send("GET", name) for name in names))
        except (RedisUnavailable, RedisReplyError):
            return {}
        return {each: _read(value) for each, value in zip(ids, found, strict=True) if value is not None}


def keeper_of(places: Mapping[str, Place]) -> str | None:
    """The upstream that keeps all of these; None where there are none. Raises Refusal 400 where they lie at several:
    there the id of one may be another's."""
    kept = sorted(each for each, place in places.items() if place.upstream)
    if not kept:
        return "" if places else None
    first = kept[0]
    for each in kept:
        if places[each].upstream != places[first].upstream:
            raise Refusal(
                400,
                f"'{first[:100]}' and '{each[:100]}' lie at different providers, so no call can refer to both.",
                code="different_providers",
            )
    return places[first].upstream


def nothing_with(identifier: str) -> Refusal:
    """What there is to say of an id that is not the caller's, whoever else's it may be."""
    return Refusal(404, f"No object found with id '{identifier[:100]}'.", code="not_found")


def _nobody_knows() -> Refusal:
    return unavailable(
        "It cannot be checked right now whose objects these are. Try again.", "ownership_unavailable"
    )


def _written(place: Place) -> str:
    return f"{place.project_id or ''} {place.upstream}"


def _read(value: bytes) -> Place:
    project_id, _, upstream = value.decode().partition(" ")
    return Place(project_id or None, upstream)


def _look(reply: "asyncio.Future[object]") -> None:
    if not reply.cancelled() and (error := reply.exception()) is not None:
        _log.warning("an object could not be entered in Redis", reason=type(error).__name__)
