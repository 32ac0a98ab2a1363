"""A hold as it lies in Redis."""

from proxy.pipeline import RedisPipeline, RedisReplyError
from proxy.quota import keys


async def read_hold(redis: RedisPipeline, partition: int, request_id: str) -> dict[str, bytes] | None:
    """Its fields (see admit.lua); None where there is none any more, or only the memory that it was settled.

    One command, so that a settlement in between can't show half of it. Raises RedisUnavailable, RedisReplyError.
    """
    try:
        flat = await redis.execute("HGETALL", keys.hold(partition, request_id))
    except RedisReplyError as error:
        if error.code == "WRONGTYPE":
            return None
        raise
    return {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)} or None
