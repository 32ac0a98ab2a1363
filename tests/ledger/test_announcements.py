import asyncio

from redis.asyncio import Redis

from ledger.announcements import announce
from ledger.changes import CHANNEL


async def test_it_reaches_who_listens(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis, redis.pubsub() as listener:
        await listener.subscribe(CHANNEL)
        await listener.get_message(timeout=5)
        assert await announce(redis, "org_1")
        message = await listener.get_message(ignore_subscribe_messages=True, timeout=5)
        assert message is not None
        assert message["data"] == b"org_1"


async def test_a_redis_that_never_answers_costs_a_second_and_no_more() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(5), Redis.from_url(f"redis://127.0.0.1:{port}") as redis:
        assert not await announce(redis, "org_1")
    server.close()


async def test_without_redis_it_says_so() -> None:
    async with asyncio.timeout(5), Redis.from_url("redis://127.0.0.1:1") as redis:
        assert not await announce(redis, "org_1")
