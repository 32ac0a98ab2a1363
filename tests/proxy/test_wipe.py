"""Redis loses all of its data while calls run at two proxies: no limit is passed, and everything is counted once."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest

from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from tests.line import Line
from tests.redis_client import open_redis
from tests.system import System, Tenant, beside, prepare, system, until
from tests.wire import WireClient

CHAT = "/v1/chat/completions"
HOLD_SECONDS = 4
BOUND = 0.25
"""Of a call that waits for its limits, in seconds."""


@dataclass
class Pair:
    """Two proxies, each with a line of its own to Redis. What runs, runs at the first."""

    one: System
    two: System
    to_one: Line
    to_two: Line

    async def forget_everything(self) -> None:
        """Redis, while neither has a connection to it."""
        redis = open_redis(self.one.redis_url)
        await redis.flushdb()
        await redis.aclose()

    async def tenant(self, **limits: int) -> Tenant:
        return await self.one.tenant(limits=limits, unpriced_models="allow")

    async def again(self, tenant: Tenant) -> None:
        """Waits until the second admits again, at no cost."""
        async with self.two.client(tenant) as client:

            async def passes() -> bool | None:
                return True if (await client.get("/v1/models")).status_code == 200 else None

            await until(passes, "calls to pass")


@pytest.fixture
def pair(postgres: Postgres, valkey: Valkey) -> Iterator[Pair]:
    name = "test_wipe"
    asyncio.run(_begin(postgres, name))
    socket = Path(unquote(urlsplit(valkey.url()).path))
    with ExitStack() as stack:
        lines = [Line(socket) for _ in range(2)]
        for line in lines:
            stack.callback(line.close)
        options = {"TOLLKEEPER_HOLD_TTL_SECONDS": str(HOLD_SECONDS)}
        one = stack.enter_context(system(postgres.url(name), valkey.url(19), **options))
        two = stack.enter_context(beside(one))
        for proxy, line in zip((one, two), lines, strict=True):
            proxy.environ["REDIS_URL"] = f"redis://127.0.0.1:{line.port}/19"
        asyncio.run(_flush(one))
        one.start("upstream", "proxy", "drain")
        two.start("proxy")
        yield Pair(one, two, *lines)
        one.stop()
        two.stop()


async def _begin(postgres: Postgres, name: str) -> None:
    connection = await asyncpg.connect(postgres.url("postgres"), timeout=5)
    await connection.execute(f"drop database if exists {name} with (force)")
    await connection.close(timeout=5)
    await postgres.create_database(name)
    await prepare(postgres.url(name))


async def _flush(one: System) -> None:
    redis = open_redis(one.redis_url)
    await redis.flushdb()
    await redis.aclose()


def chat(**members: Any) -> dict[str, Any]:
    model = "gpt-4o-mini+tokens=5"
    return {"model": model, "messages": [{"role": "user", "content": "Go on"}], "max_tokens": 20} | members


@asynccontextmanager
async def running(pair: Pair, tenant: Tenant, tokens: int = 100) -> AsyncIterator[WireClient]:
    """A stream at the first proxy, which holds some 900 tokens."""
    body = chat(model=f"gpt-4o-mini+pace=50;tokens={tokens}", stream=True, max_tokens=900)
    client = await WireClient.post(pair.one.proxy_url, CHAT, tenant.key, body, connection="close")
    for _ in range(4):
        await client.read_until(b"\n\n")
    yield client
    client.leave()


async def statuses(house: System, tenant: Tenant, count: int, **members: Any) -> Counter[int]:
    async with house.client(tenant) as client:
        answers = await asyncio.gather(*(client.post(CHAT, json=chat(**members)) for _ in range(count)))
    return Counter(answer.status_code for answer in answers)


async def settled(pair: Pair, tenant: Tenant, count: int) -> list[dict[str, Any]]:
    """As many records; counters that say the same, though nobody mended them."""
    rows = await pair.one.records(tenant, count)
    await pair.one.quiet()
    used = await pair.one.counters(tenant)
    tokens = sum(row["input_tokens"] + row["output_tokens"] for row in rows)
    assert (used["r"], used["t"], used.get("hr", 0), used.get("ht", 0)) == (count, tokens, 0, 0)
    return rows


@pytest.mark.parametrize(
    ("limits", "fits", "refused"),
    [
        ({"tokens_per_month": 1500}, {"max_tokens": 300}, {"max_tokens": 900}),
        ({"tokens_per_minute": 1500}, {"max_tokens": 300}, {"max_tokens": 900}),
        ({"requests_per_minute": 2}, {}, {}),
        ({"concurrent_requests": 2}, {"model": "gpt-4o-mini+delay=4000;tokens=2"}, {}),
    ],
)
async def test_no_proxy_admits_before_the_other_has_taken_its_holds_again(
    pair: Pair, limits: dict[str, int], fits: dict[str, Any], refused: dict[str, Any]
) -> None:
    tenant = await pair.tenant(**limits)
    async with running(pair, tenant) as stream:
        with pair.to_one.cut():
            with pair.to_two.cut():
                await pair.forget_everything()
            async with pair.two.client(tenant) as client:
                for _ in range(8):
                    began = time.monotonic()
                    assert (await client.post(CHAT, json=chat(**fits))).status_code == 503
                    assert time.monotonic() - began < 2 * BOUND + 0.5
        await pair.again(await pair.tenant())
        fitting = asyncio.create_task(statuses(pair.two, tenant, 1, **fits))
        await asyncio.sleep(0.3)
        assert await statuses(pair.two, tenant, 3, **refused) == {429: 3}
        assert await fitting == {200: 1}
        assert (await stream.read_all()).endswith(b"[DONE]\n\n\r\n0\r\n\r\n")
    await settled(pair, tenant, 2)


async def test_a_proxy_that_was_killed_is_waited_for_as_long_as_its_holds_would_have_lived(
    pair: Pair,
) -> None:
    tenant = await pair.tenant(tokens_per_month=1500)
    async with running(pair, tenant, tokens=800):
        with pair.to_two.cut():
            pair.one.kill("proxy")
            await pair.forget_everything()
        began = time.monotonic()
        async with pair.two.client(tenant) as client:
            while (answer := await client.post(CHAT, json=chat())).status_code == 503:
                await asyncio.sleep(0.05)
        assert answer.status_code == 200
        assert HOLD_SECONDS - 1 < time.monotonic() - began < HOLD_SECONDS + 3
    # What it had delivered is known to nobody.
    await settled(pair, tenant, 1)


@pytest.mark.parametrize("drained", [True, False])
async def test_what_was_used_before_counts_in_its_minute_and_once_in_its_month(
    pair: Pair, drained: bool
) -> None:
    tenant = await pair.tenant(requests_per_minute=8, requests_per_month=100)
    if not drained:
        pair.one.stop("drain")
    assert await statuses(pair.one, tenant, 3) == await statuses(pair.two, tenant, 3) == {200: 3}
    if drained:
        await pair.one.records(tenant, 6)
    with pair.to_one.cut(), pair.to_two.cut():
        await pair.forget_everything()
    if not drained:
        pair.one.start("drain")
    await pair.again(await pair.tenant())
    both = await asyncio.gather(statuses(pair.one, tenant, 5), statuses(pair.two, tenant, 5))
    assert both[0] + both[1] == {200: 2, 429: 8}
    await settled(pair, tenant, 8)


async def test_what_was_told_again_is_told_again_until_it_is_in_the_ledger(pair: Pair) -> None:
    tenant = await pair.tenant(tokens_per_month=1500)
    pair.one.stop("drain")
    assert await statuses(pair.one, tenant, 3) == await statuses(pair.two, tenant, 3) == {200: 3}
    for _ in range(2):
        with pair.to_one.cut(), pair.to_two.cut():
            pass
        await pair.again(await pair.tenant())
        await off_the_disk(pair)
    for _ in range(2):
        with pair.to_one.cut(), pair.to_two.cut():
            await pair.forget_everything()
        await pair.again(await pair.tenant())
    pair.one.start("drain")
    await pair.one.records(tenant, 6)
    assert await statuses(pair.two, tenant, 1) == {200: 1}
    await settled(pair, tenant, 7)


async def off_the_disk(pair: Pair) -> None:
    async def gone() -> bool | None:
        sizes = [await each.metric("tollkeeper_spool_bytes") for each in (pair.one, pair.two)]
        return None if any(sizes) else True

    await until(gone, "what was told again to be taken")


async def test_data_that_vanish_while_connections_stay_are_missed_too(pair: Pair) -> None:
    tenant = await pair.tenant(tokens_per_month=1500)
    async with running(pair, tenant) as stream:
        await pair.forget_everything()
        await pair.again(await pair.tenant())
        assert await statuses(pair.two, tenant, 1, max_tokens=900) == {429: 1}
        await stream.read_all()
    await settled(pair, tenant, 1)


async def test_work_that_goes_on_is_held_again_and_then_charged_once(pair: Pair) -> None:
    tenant = await pair.tenant(tokens_per_month=1500)
    body = {
        "model": "gpt-4o-mini+tokens=12;finish=4",
        "input": "Hello",
        "background": True,
        "max_output_tokens": 900,
    }
    async with pair.one.client(tenant) as client:
        made = (await client.post("/v1/responses", json=body)).json()

        async def told() -> bool | None:
            connection = await asyncpg.connect(pair.one.database_url, timeout=5)
            count = await connection.fetchval("select count(*) from deferred_call")
            await connection.close(timeout=5)
            return count == 1 or None

        await until(told, "the ledger to be told of the work")
        with pair.to_one.cut(), pair.to_two.cut():
            await pair.forget_everything()
        await pair.again(tenant)
        assert await statuses(pair.two, tenant, 1, max_tokens=900) == Counter({429: 1})
        assert await statuses(pair.two, tenant, 1, max_tokens=300) == Counter({200: 1})

        async def finished() -> bool | None:
            answer = await client.get(f"/v1/responses/{made['id']}")
            return answer.json()["status"] == "completed" or None

        await until(finished, "the work to end")

    async def charged() -> list[asyncpg.Record] | None:
        connection = await asyncpg.connect(pair.one.database_url, timeout=5)
        rows = await connection.fetch("select * from usage where endpoint = '/v1/responses'")
        await connection.close(timeout=5)
        return rows or None

    [row] = await until(charged, "the work to be charged")
    assert (row["output_tokens"], row["usage_source"]) == (12, "provider")
    await pair.one.quiet()
    used = await pair.one.counters(tenant)
    assert (used.get("hr", 0), used.get("ht", 0)) == (0, 0)
