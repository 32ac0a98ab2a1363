"""Counts what an organization keeps upstream: by the ledger, and by the records that are on their way to it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ledger import storage
from ledger.database import Pool, reading
from ledger.partitions import partition_of
from ledger.storage import Stored
from proxy.pipeline import RedisPipeline
from proxy.quota import keys
from proxy.quota.scripts import source
from proxy.record.stream import place_of
from proxy.record.waiting import records_of

_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Count:
    """Bytes: `kept` by what is told in the ledger and the stream, `counted` in Redis, `held` for uploads that run."""

    kept: int
    counted: int
    held: int


class Counting:
    """Raises RedisUnavailable, RedisReplyError and DatabaseUnavailable."""

    def __init__(self, redis: RedisPipeline, pool: Pool, now: Callable[[], datetime]) -> None:
        self._redis = redis
        self._pool = pool
        self._now = now
        self._survey = redis.script(source("survey"))
        self._count = redis.script(source("count"))

    async def look(self, organization_id: str) -> Count:
        """As of one instant of Redis; what has expired is left out."""
        count, _ = await self._look(organization_id)
        return count

    async def count(self, organization_id: str) -> None:
        """Brings Redis up to it."""
        count, (mark, number) = await self._look(organization_id)
        names = [keys.storage(partition_of(organization_id), f"o:{organization_id}")]
        await self._redis.send_script(self._count, names, [number, count.counted, count.kept, mark])

    async def _look(self, organization_id: str) -> tuple[Count, tuple[bytes, bytes]]:
        partition, at = partition_of(organization_id), self._now()
        stream = keys.stream(partition)
        survey: Any = await self._redis.send_script(
            self._survey, [stream, keys.storage(partition, f"o:{organization_id}")], []
        )
        latest, counted, held, mark, number = survey
        stored: dict[str, Stored] = {}
        freed: set[str] = set()
        async for record in records_of(self._redis, partition, organization_id, latest.decode()):
            stored |= {each.id: each for each in record.stored}
            freed |= {each.id for each in record.freed}
        async with reading(self._pool, acquire_seconds=_SECONDS) as connection:
            kept = await storage.total(
                connection,
                organization_id,
                at,
                place_of(latest.decode()) or 0,
                stored.keys() | freed,
                _SECONDS,
            )
        kept += sum(each.bytes for each in stored.values() if _lives(each, freed, at))
        return Count(kept, int(counted or 0), int(held or 0)), (mark or b"", number or b"0")


def _lives(each: Stored, freed: set[str], at: datetime) -> bool:
    gone = each.id in freed or each.within in freed
    return not gone and (each.expires_at is None or each.expires_at > at.timestamp())
