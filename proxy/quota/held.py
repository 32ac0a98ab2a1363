"""A hold as it lies in Redis."""

from collections.abc import Iterable

from redis.exceptions import ResponseError

from ledger.redis_client import RedisClient
from proxy.pipeline import RedisPipeline, RedisReplyError
from proxy.quota import keys


async def read_hold(redis: RedisClient, partition: int, request_id: str) -> dict[str, bytes] | None:
    """Its fields (see admit.lua); None where there is none any more, or only the memory that it was settled.

    `redis` must not decode. One command, so that a settlement in between can't show half of it.
    """
    try:
        raw: dict[bytes, bytes] = await redis.hgetall(keys.hold(partition, request_id))  # type: ignore[assignment]
    except ResponseError as error:
        if str(error).startswith("WRONGTYPE"):
            return None
        raise
    return _fields(raw.items())


async def fetch_hold(redis: RedisPipeline, partition: int, request_id: str) -> dict[str, bytes] | None:
    """As `read_hold`, by a pipeline."""
    try:
        flat = await redis.execute("HGETALL", keys.hold(partition, request_id))
    except RedisReplyError as error:
        if error.code == "WRONGTYPE":
            return None
        raise
    return _fields(zip(flat[::2], flat[1::2], strict=True))


def _fields(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, bytes] | None:
    return {name.decode(): value for name, value in pairs} or None
