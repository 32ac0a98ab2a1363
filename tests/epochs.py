"""Partitions as they are once every proxy has brought back what Redis had lost."""

from ledger.partitions import PARTITIONS
from proxy.pipeline import RedisPipeline
from proxy.quota import keys


async def open_all(redis: RedisPipeline) -> None:
    await redis.execute_all(
        {
            name: ("HSET", name, "at", 1, "open", 1)
            for name in (keys.epoch(partition) for partition in range(PARTITIONS))
        }
    )
