"""The Redis streams of usage records, one per partition, read by a consumer group."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from ledger.partitions import PARTITIONS
from proxy.quota import keys

GROUP: Final = "drain"
_CLAIM_AFTER_MS: Final = 5_000
"""A batch that nobody finished for so long is taken over. Doing it twice does no harm: rows are unique."""


class Entry(NamedTuple):
    """One record where it lies. `payload` is None for an entry without the field it should have."""

    stream: str
    id: str
    payload: bytes | None


class UsageStreams:
    """Reads all partitions as `consumer`. Raises redis' errors."""

    def __init__(self, redis: Redis, consumer: str) -> None:
        self._redis = redis
        self._consumer = consumer
        self._streams = [keys.stream(partition) for partition in range(PARTITIONS)]

    async def join(self) -> None:
        """Makes the groups that are not there yet; entries older than the group are read too."""
        for stream in self._streams:
            try:
                await self._redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise

    async def read(self, count: int, block_ms: int) -> list[Entry]:
        """New entries, at most `count` of a partition; waits up to `block_ms` for the first."""
        answer = await self._redis.xreadgroup(
            GROUP, self._consumer, dict.fromkeys(self._streams, ">"), count=count, block=block_ms
        )
        items = answer.items() if isinstance(answer, dict) else answer or ()
        return [entry for stream, batch in items for entry in _entries(_text(stream), _flat(batch))]

    async def take_over(self, count: int) -> list[Entry]:
        """Entries that another consumer read and did not finish."""
        found: list[Entry] = []
        async with self._redis.pipeline(transaction=False) as pipe:
            for stream in self._streams:
                pipe.xautoclaim(stream, GROUP, self._consumer, _CLAIM_AFTER_MS, count=count)
            for stream, answer in zip(self._streams, await pipe.execute(), strict=True):
                found += _entries(stream, answer[1])
        return found

    async def done(self, entries: Iterable[Entry]) -> None:
        """Acknowledges and removes entries that are in Postgres."""
        by_stream: dict[str, list[str]] = defaultdict(list)
        for entry in entries:
            by_stream[entry.stream].append(entry.id)
        async with self._redis.pipeline(transaction=False) as pipe:
            for stream, ids in by_stream.items():
                pipe.xack(stream, GROUP, *ids)
                pipe.xdel(stream, *ids)
            await pipe.execute()

    async def leave(self) -> None:
        """Forgets this consumer where it has nothing unfinished."""
        for stream in self._streams:
            pending = await self._redis.xpending_range(stream, GROUP, "-", "+", 1, self._consumer)
            if not pending:
                await self._redis.xgroup_delconsumer(stream, GROUP, self._consumer)


def _flat(batch: Any) -> Sequence[Any]:
    """redis-py nests a stream's entries once more under RESP3."""
    if batch and isinstance(batch[0], list) and (not batch[0] or isinstance(batch[0][0], tuple)):
        return [entry for part in batch for entry in part]
    return batch  # type: ignore[no-any-return]


def _entries(stream: str, batch: Iterable[Any]) -> list[Entry]:
    return [
        Entry(stream, _text(entry_id), None if values is None else values.get(b"d", values.get("d")))
        for entry_id, values in batch
    ]


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
