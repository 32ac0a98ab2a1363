"""A hold as it lies in Redis."""

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from proxy.quota import keys


async def read_hold(redis: Redis, partition: int, request_id: str) -> dict[str, bytes] | None:
    """Its fields (see admit.lua); None where there is none any more, or only the memory that it was settled.

    `redis` must not decode. One command, so that a settlement in between can't show half of it.
    """
    try:
        raw: dict[bytes, bytes] = await redis.hgetall(keys.hold(partition, request_id))  # type: ignore[assignment]
    except ResponseError as error:
        if str(error).startswith("WRONGTYPE"):
            return None
        raise
    return {name.decode(): value for name, value in raw.items()} or None
