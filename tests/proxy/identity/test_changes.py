"""Changes of the ledger reach every proxy at once; what was said while nobody listened is made up for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from redis.asyncio import Redis

from ledger import plans
from ledger.announcements import announce
from ledger.changes import CHANNEL, EVERYONE
from ledger.database import close_pool, open_pool, transaction
from ledger.limits import Limits
from proxy.identity.changes import listen
from proxy.identity.lookups import FRESH_SECONDS
from proxy.pipeline import RedisPipeline
from tests.line import Line
from tests.system import System, Tenant, system

MODELS, CHAT = "/v1/models", "/v1/chat/completions"
CALL = {"model": "gpt-4o-mini+tokens=2", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}


@pytest.fixture(scope="module")
def second(house: System) -> Iterator[System]:
    """Another proxy on the same stores and upstream."""
    with system(house.database_url, house.redis_url, OPENAI_BASE_URL=f"{house.upstream_url}/v1") as made:
        made.start("proxy")
        yield made


@pytest.fixture
async def redis(house: System) -> AsyncIterator[Redis]:
    async with Redis.from_url(house.redis_url) as client:
        yield client


async def status(house: System, tenant: Tenant) -> int:
    async with house.client(tenant) as client:
        return (await client.get(MODELS)).status_code


async def allowed(house: System, tenant: Tenant) -> int:
    """The limit of requests per minute that an answer names."""
    async with house.client(tenant) as client:
        return int((await client.post(CHAT, json=CALL)).headers["x-ratelimit-limit-requests"])


async def comes_to(look: Callable[[], Awaitable[int]], wanted: int, seconds: float = 1.0) -> None:
    async with asyncio.timeout(seconds):
        while await look() != wanted:
            await asyncio.sleep(0.01)


async def test_a_revoked_key_is_refused_by_both_proxies_within_a_second(
    house: System, second: System, redis: Redis
) -> None:
    tenant = await house.tenant()
    assert [await status(proxy, tenant) for proxy in (house, second)] == [200, 200]
    await house.execute("update api_key set revoked_at = now() where id = $1", tenant.key_id)
    assert [await status(proxy, tenant) for proxy in (house, second)] == [200, 200]
    assert await announce(redis, tenant.organization_id)
    await asyncio.gather(*(comes_to(partial(status, proxy, tenant), 401) for proxy in (house, second)))


async def test_a_changed_plan_holds_at_both_proxies_within_a_second(
    house: System, second: System, redis: Redis
) -> None:
    tenant = await house.tenant(limits=Limits(requests_per_minute=1000), unpriced_models="allow")
    assert [await allowed(proxy, tenant) for proxy in (house, second)] == [1000, 1000]
    pool = await open_pool(house.database_url, size=1)
    async with transaction(pool) as connection:
        await plans.change(connection, "test", tenant.plan_id, {"limits": {"requests_per_minute": 500}})
    await close_pool(pool)
    assert await announce(redis, EVERYONE)
    await asyncio.gather(*(comes_to(partial(allowed, proxy, tenant), 500) for proxy in (house, second)))


async def test_what_was_said_while_both_were_cut_off_is_made_up_for_when_they_hear_again(
    house: System, second: System, redis: Redis
) -> None:
    tenant = await house.tenant()
    assert [await status(proxy, tenant) for proxy in (house, second)] == [200, 200]
    await house.execute("update api_key set revoked_at = now() where id = $1", tenant.key_id)
    await redis.client_kill_filter(_type="pubsub")
    assert await redis.publish(CHANNEL, tenant.organization_id) == 0, "somebody heard it"
    # Sooner than by the age of what each had looked up.
    looks = (comes_to(partial(status, proxy, tenant), 401, FRESH_SECONDS - 1) for proxy in (house, second))
    await asyncio.gather(*looks)


@pytest.fixture
def line(redis_url: str) -> Iterator[Line]:
    made = Line(Path(unquote(urlsplit(redis_url).path)))
    yield made
    made.close()


async def forgotten(heard: "asyncio.Queue[str]", seconds: float) -> str:
    async with asyncio.timeout(seconds):
        return await heard.get()


async def test_a_connection_that_carries_nothing_any_more_is_given_up(line: Line, redis_url: str) -> None:
    url = f"redis://127.0.0.1:{line.port}/0"
    heard = asyncio.Queue[str]()
    subscriber = RedisPipeline(url, connect_timeout=0.5).subscriber
    listening = asyncio.create_task(listen(subscriber, heard.put_nowait, quiet=0.3, pause=0.1))
    assert await forgotten(heard, 5) == EVERYONE
    async with Redis.from_url(redis_url) as redis:
        # Quiet alone is no reason: who answers is kept.
        with pytest.raises(TimeoutError):
            await forgotten(heard, 1)
        assert await announce(redis, "org_1")
        assert await forgotten(heard, 1) == "org_1"
        with line.frozen():
            await announce(redis, "org_2")
            await asyncio.sleep(1)
        # Not what comes late on the old one, but all of it again on a new one.
        assert await forgotten(heard, 5) == EVERYONE
    listening.cancel()
    await asyncio.wait([listening])
