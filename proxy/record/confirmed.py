"""What Redis has confirmed, kept until it is known to be in the ledger: a Redis that loses it is told again."""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, NamedTuple

from proxy.pipeline import RedisPipeline, RedisReplyError, RedisUnavailable
from proxy.quota import keys
from proxy.quota.scripts import source
from proxy.record.owed import Owed
from proxy.record.stream import place_of

RECENT_SECONDS: Final = 5.0
"""How long it is kept in any case, as Redis may lose its last moments with the hold that it took: a server that syncs
its log each second may lose two of them, a replica that takes over somewhat more."""
_LOOK_SECONDS: Final = 1.0
MOST: Final = 10_000


class _State(NamedTuple):
    """Of a partition's stream, by places in it: `first` is None where nothing is left."""

    epoch: bytes
    latest: int
    first: int | None


@dataclass(slots=True)
class _Batch:
    """What was confirmed in one piece of time. `up_to`: by partition, the epoch and a place that none of it lies
    beyond; empty until it has been looked."""

    items: deque[Owed] = field(default_factory=deque)
    up_to: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    ended: float = math.inf


class Confirmed:
    """At most MOST of what was confirmed last. Its partitions' streams are looked at each second."""

    def __init__(self, redis: RedisPipeline, ticks: Callable[[], float] = monotonic) -> None:
        self._redis = redis
        self._script = redis.script(source("drained"))
        self._ticks = ticks
        self._batches: deque[_Batch] = deque([_Batch()])
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, item: Owed) -> None:
        self._batches[-1].items.append(item)
        self._count += 1
        while self._count > MOST:
            # What is longest there is lost from sight piece by piece.
            if not self._batches[0].items:
                self._batches.popleft()
                continue
            self._batches[0].items.popleft()
            self._count -= 1

    def add_all(self, items: Iterable[Owed]) -> None:
        for item in items:
            self.add(item)

    def take_recent(self) -> list[Owed]:
        """What Redis may have lost with its last moments; kept here no longer, until Redis has confirmed it again."""
        before = self._ticks() - RECENT_SECONDS
        return self._take(lambda batch, _: batch.ended >= before)

    def take_all(self, partitions: frozenset[int]) -> list[Owed]:
        """What Redis has lost with all it knew of these partitions, as `take_recent`."""
        return self._take(lambda _, item: item.hold.partition in partitions)

    def within(self, partitions: frozenset[int]) -> list[Owed]:
        """What is kept of these partitions."""
        return [item for batch in self._batches for item in batch.items if item.hold.partition in partitions]

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            with suppress(RedisUnavailable, RedisReplyError):
                await self.look()

    async def look(self) -> None:
        """Forgets what is in the ledger. Raises RedisUnavailable, RedisReplyError."""
        if self._batches[-1].items:
            self._batches[-1].ended = self._ticks()
            self._batches.append(_Batch())
        looked = [each for each in self._batches if each.items]
        states = await self._states({partition for each in looked for partition in _partitions(each)})
        before = self._ticks() - RECENT_SECONDS
        for each in looked:
            if not each.up_to:
                here = _partitions(each)
                each.up_to = {
                    partition: (states[partition].epoch, states[partition].latest) for partition in here
                }
            elif each.ended < before:
                drained = {here for here in each.up_to if _is_drained(each, states[here], here)}
                self._forget(each, drained)
        while len(self._batches) > 1 and not self._batches[0].items:
            self._batches.popleft()

    def _forget(self, batch: _Batch, drained: set[int]) -> None:
        if drained:
            left = deque(item for item in batch.items if item.hold.partition not in drained)
            self._count -= len(batch.items) - len(left)
            batch.items = left

    async def _states(self, partitions: Iterable[int]) -> dict[int, _State]:
        asked = {
            partition: self._redis.send_script(
                self._script, [keys.stream(partition), keys.epoch(partition)], []
            )
            for partition in partitions
        }
        replies = await asyncio.gather(*asked.values())
        return {
            partition: _State(epoch, place_of(latest.decode()) or 0, place_of(first.decode()))
            for partition, (epoch, latest, first) in zip(asked, replies, strict=True)
        }

    def _take(self, wanted: Callable[[_Batch, Owed], bool]) -> list[Owed]:
        taken: list[Owed] = []
        for batch in self._batches:
            left: deque[Owed] = deque()
            for item in batch.items:
                (taken if wanted(batch, item) else left).append(item)
            batch.items = left
        self._count -= len(taken)
        return taken


def _partitions(batch: _Batch) -> set[int]:
    return set(batch.up_to) or {item.hold.partition for item in batch.items}


def _is_drained(batch: _Batch, state: _State, partition: int) -> bool:
    """An epoch that is another by now has lost what was not drained; it is asked for by whoever sees to that."""
    epoch, place = batch.up_to[partition]
    return epoch != b"" and state.epoch == epoch and (state.first is None or state.first > place)
