"""The Redis streams of usage records, one per partition, read by a consumer group."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import structlog

from ledger.partitions import PARTITIONS
from proxy.pipeline import Argument, RedisPipeline, RedisReplyError, Reply
from proxy.pipeline.replies import successes
from proxy.quota import keys
from proxy.quota.scripts import source

GROUP: Final = "drain"
_PER_MS: Final = 1_000_000
_PER_COMMAND: Final = 192
"""Entries that one command reads or removes. Each takes Redis some 4 us, and admissions wait meanwhile."""
_CLAIM_AFTER_MS: Final = 5_000
"""A batch that nobody finished for so long is taken over. Doing it twice does no harm: rows are unique."""

_log = structlog.get_logger(__name__)


class Entry(NamedTuple):
    """One record where it lies. `payload` is None for an entry without the field it should have."""

    stream: str
    id: str
    payload: bytes | None


def place_of(entry_id: str) -> int | None:
    """An entry's id as one number, in the order of the stream; None for what lay elsewhere."""
    ms, _, number = entry_id.partition("-")
    if not (ms.isdecimal() and number.isdecimal()):
        return None
    return int(ms) * _PER_MS + min(int(number), _PER_MS - 1)


class UsageStreams:
    """Reads all partitions as `consumer`. Of a cluster, those of nodes that can't be reached are left for later.

    Raises RedisUnavailable and RedisReplyError, where no partition can be asked.
    """

    def __init__(self, redis: RedisPipeline, consumer: str) -> None:
        self._redis = redis
        self._consumer = consumer
        self._streams = [keys.stream(partition) for partition in range(PARTITIONS)]
        self._done = source("done")
        self._joined: set[str] = set()
        self._failing: set[str] = set()

    async def read(self, most: int, block_ms: int) -> list[Entry]:
        """New entries: no more of them than `most` and one command brings; waits up to `block_ms` for the first."""
        await self._join()
        found: list[Entry] = []
        streams = sorted(self._joined)
        while streams and len(found) < most:
            each = max(1, _PER_COMMAND // len(streams))
            batches = await self._ask(streams, each, 0 if found else block_ms)
            found += (entry for batch in batches.values() for entry in batch)
            # Only where there were as many as asked for may more be waiting.
            streams = [stream for stream, batch in batches.items() if len(batch) >= each]
        return found

    async def _ask(self, streams: Sequence[str], count: int, block_ms: int) -> dict[str, list[Entry]]:
        """At most `count` of each stream."""
        if self._redis.is_cluster:
            found = await self._ask_each(streams, count)
            if not found and block_ms:
                await asyncio.sleep(block_ms / 1000)
            return found
        options = ("BLOCK", block_ms) if block_ms else ()
        try:
            return _batches(await self._redis.execute(*self._reading(count, streams, *options)))
        except RedisReplyError as error:
            self._leave_out(dict.fromkeys(self._streams, error))
            return {}

    async def _ask_each(self, streams: Sequence[str], count: int) -> dict[str, list[Entry]]:
        """A cluster reads no two partitions by one command, even if they lie on one node."""
        outcomes = await self._redis.execute_all(
            {stream: self._reading(count, [stream]) for stream in streams}
        )
        self._leave_out(outcomes)
        found: dict[str, list[Entry]] = {}
        for reply in outcomes.values():
            if not isinstance(reply, Exception):
                found |= _batches(reply)
        return found

    def _reading(self, count: int, streams: Sequence[str], *options: Argument) -> Sequence[Argument]:
        group = ("XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", count, *options)
        return (*group, "STREAMS", *streams, *(">" for _ in streams))

    async def _join(self) -> None:
        """Makes the groups that are not there yet; entries older than the group are read too."""
        missing = [stream for stream in self._streams if stream not in self._joined]
        outcomes = await self._redis.execute_all(
            {stream: ("XGROUP", "CREATE", stream, GROUP, "0", "MKSTREAM") for stream in missing}
        )
        for stream, outcome in outcomes.items():
            if not isinstance(outcome, Exception) or _code(outcome) == "BUSYGROUP":
                self._joined.add(stream)
        if not self._joined:
            successes(outcomes)

    def _leave_out(self, outcomes: Mapping[str, Reply]) -> None:
        """Groups that are gone are made again. Raises what else is wrong with all of them; logs it for some."""
        failed = {stream: outcome for stream, outcome in outcomes.items() if isinstance(outcome, Exception)}
        gone = {stream for stream, error in failed.items() if _code(error) == "NOGROUP"}
        self._joined -= gone
        failing = failed.keys() - gone
        if len(failing) == len(outcomes):
            successes(outcomes)
        if failing != self._failing:
            self._failing = failing
            _log.warning("usage records of some partitions wait", count=len(failing))

    async def take_over(self, most: int) -> list[Entry]:
        """Entries that another consumer read and did not finish, about `most` where there are so many."""
        found: list[Entry] = []
        following: dict[str, Argument] = dict.fromkeys(sorted(self._joined), "0-0")
        while following and len(found) < most:
            count = max(1, _PER_COMMAND // len(following))
            outcomes = await self._redis.execute_all(
                {
                    stream: (
                        "XAUTOCLAIM",
                        stream,
                        GROUP,
                        self._consumer,
                        _CLAIM_AFTER_MS,
                        start,
                        "COUNT",
                        count,
                    )
                    for stream, start in following.items()
                }
            )
            replies = successes(outcomes)
            found += (entry for stream, reply in replies.items() for entry in _entries(stream, reply[1]))
            following = {stream: reply[0] for stream, reply in replies.items() if reply[0] != b"0-0"}
        return found

    async def done(self, entries: Iterable[Entry]) -> None:
        """Acknowledges and removes entries that are in Postgres. What can't be is delivered again later."""
        by_stream: dict[str, list[str]] = defaultdict(list)
        for entry in entries:
            by_stream[entry.stream].append(entry.id)
        for round_ in _rounds(by_stream):
            await self._redis.execute_all(
                {stream: ("EVAL", self._done, 1, stream, GROUP, *ids) for stream, ids in round_.items()}
            )

    async def leave(self) -> None:
        """Forgets this consumer where it has nothing unfinished."""
        pending = await self._redis.execute_all(
            {stream: ("XPENDING", stream, GROUP, "-", "+", 1, self._consumer) for stream in self._joined}
        )
        await self._redis.execute_all(
            {
                stream: ("XGROUP", "DELCONSUMER", stream, GROUP, self._consumer)
                for stream, left in successes(pending).items()
                if not left
            }
        )


def _code(error: Exception) -> str:
    return error.code if isinstance(error, RedisReplyError) else ""


def _rounds(by_stream: Mapping[str, list[str]]) -> Iterator[dict[str, list[str]]]:
    """The ids in portions that Redis can be asked to remove at once."""
    portion: dict[str, list[str]] = {}
    room = _PER_COMMAND
    for stream, ids in by_stream.items():
        start = 0
        while start < len(ids):
            portion[stream] = ids[start : start + room]
            start += len(portion[stream])
            room -= len(portion[stream])
            if not room:
                yield portion
                portion, room = {}, _PER_COMMAND
    if portion:
        yield portion


def _batches(reply: Reply) -> dict[str, list[Entry]]:
    """By stream, of a reading of several; there is no reply where there is nothing new."""
    return {name: list(_entries(name, batch)) for stream, batch in reply or () if (name := stream.decode())}


def _entries(stream: str, batch: Iterable[Reply]) -> Iterator[Entry]:
    for each in batch:
        if each is not None:
            name, fields = each
            if fields is not None and len(fields) == 2 and fields[0] == b"d":
                yield Entry(stream, name.decode(), fields[1])
            else:
                found = dict(zip(fields[::2], fields[1::2], strict=True)) if fields is not None else {}
                yield Entry(stream, name.decode(), found.get(b"d"))
