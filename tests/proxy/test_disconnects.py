"""Clients that leave: one record each, the hold gone, the upstream closed at once."""

import asyncio
import random
from typing import Any

import pytest

from proxy.pipeline import RedisPipeline
from proxy.quota.view import read_holds
from tests.system import System, Tenant, until
from tests.wire import WireClient

CHAT = "/v1/chat/completions"


def body(model: str, *, stream: bool = True) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Tell me something long"}]
    return {"model": model, "messages": messages, "stream": stream, "max_tokens": 500}


async def leaver(house: System, tenant: Tenant, request_id: str, **wanted: Any) -> WireClient:
    return await WireClient.post(
        house.proxy_url, CHAT, tenant.key, body(**wanted), x_client_request_id=request_id
    )


async def seen_by_upstream(house: System, request_id: str) -> dict[str, Any]:
    """The upstream's own entry of a request, once it has ended."""

    async def ended() -> dict[str, Any] | None:
        found = (await house.books(client_request_id=request_id))["requests"]
        entry: dict[str, Any] | None = found[0] if found and found[0]["ended"] else None
        return entry

    return await until(ended, f"the end of {request_id} at the upstream")


async def under_way(house: System, request_id: str) -> None:
    """Waits until the upstream has the request."""

    async def there() -> bool | None:
        return True if (await house.books(client_request_id=request_id))["requests"] else None

    await until(there, f"{request_id} at the upstream")


async def no_hold(house: System, tenant: Tenant) -> None:
    async with RedisPipeline.opened(house.redis_url, timeout=5) as redis:

        async def gone() -> bool | None:
            return True if not await read_holds(redis, tenant.organization_id) else None

        await until(gone, "the hold to go")


@pytest.fixture
async def tenant(house: System) -> Tenant:
    return await house.tenant(unpriced_models="allow")


@pytest.mark.parametrize("abruptly", [False, True])
@pytest.mark.parametrize("stream", [False, True])
async def test_who_leaves_before_the_first_byte_pays_for_the_prompt_only(
    house: System, tenant: Tenant, stream: bool, abruptly: bool
) -> None:
    name = f"before-{tenant.organization_id}"
    client = await leaver(house, tenant, name, model="gpt-4o-mini+delay=20000;tokens=50", stream=stream)
    await under_way(house, name)
    client.leave(abruptly=abruptly)
    assert (await seen_by_upstream(house, name))["ended"] == "disconnected"
    [row] = await house.records(tenant, 1)
    assert row["outcome"] == "client_gone"
    assert row["usage_source"] == "tokenizer"
    assert row["output_tokens"] == 0
    assert row["input_tokens"] > 0
    await no_hold(house, tenant)


@pytest.mark.parametrize("abruptly", [False, True])
async def test_who_leaves_in_mid_stream_pays_for_what_was_delivered(
    house: System, tenant: Tenant, abruptly: bool
) -> None:
    name = f"middle-{tenant.organization_id}"
    client = await leaver(house, tenant, name, model="gpt-4o-mini+pace=20;tokens=400")
    for _ in range(10):
        await client.read_until(b"\n\n")
    client.leave(abruptly=abruptly)
    entry = await seen_by_upstream(house, name)
    assert entry["ended"] == "disconnected"
    [row] = await house.records(tenant, 1)
    assert row["outcome"] == "client_gone"
    assert row["usage_source"] == "tokenizer"
    assert row["status"] == 200
    served = entry["completion_tokens_served"]
    assert 5 <= row["output_tokens"] <= served < 400
    # One token an event: between what we relayed and what the upstream wrote lies what was on its way.
    assert served - row["output_tokens"] <= 3
    await no_hold(house, tenant)


async def test_who_leaves_after_the_last_chunk_pays_what_the_provider_reported(
    house: System, tenant: Tenant
) -> None:
    name = f"after-{tenant.organization_id}"
    client = await leaver(house, tenant, name, model="gpt-4o-mini+tokens=30")
    await client.read_until(b"data: [DONE]\n\n")
    client.leave()
    entry = await seen_by_upstream(house, name)
    [row] = await house.records(tenant, 1)
    assert row["usage_source"] == "provider"
    assert row["output_tokens"] == entry["completion_tokens_served"] == 30
    await no_hold(house, tenant)


async def test_clients_that_leave_at_random_moments_leave_one_record_each(house: System) -> None:
    tenant = await house.tenant(unpriced_models="allow")
    chance = random.Random(7)

    async def come_and_go(number: int) -> None:
        client = await leaver(
            house, tenant, f"random-{number}", model="gpt-4o-mini+pace=5;tokens=60", stream=number % 3 > 0
        )
        try:
            async with asyncio.timeout(chance.uniform(0.02, 0.6)):
                await client.read_all()
        except TimeoutError:
            pass
        client.leave(abruptly=number % 2 == 0)

    await asyncio.gather(*(come_and_go(number) for number in range(60)))
    await house.quiet()
    rows = await house.records(tenant, 60)
    assert len({row["request_id"] for row in rows}) == 60
    await no_hold(house, tenant)


async def test_a_client_that_never_sends_its_body_holds_nothing(house: System, tenant: Tenant) -> None:
    client = await WireClient.connect(house.proxy_url)
    client.writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n"
        b"authorization: Bearer " + tenant.key.encode() + b"\r\n\r\n{"
    )
    await client.writer.drain()
    client.leave()
    async with house.client(tenant) as other:
        assert (await other.post(CHAT, json=body("gpt-4o-mini+tokens=2", stream=False))).status_code == 200
    await house.records(tenant, 1)


async def test_a_stream_cut_by_the_upstream_is_cut_and_pays_for_what_was_delivered(
    house: System, tenant: Tenant
) -> None:
    client = await leaver(house, tenant, "cut", model="gpt-4o-mini+cut=6;tokens=100")
    received = await client.read_all()
    client.leave()
    assert b"[DONE]" not in received
    assert not received.endswith(b"0\r\n\r\n")
    [row] = await house.records(tenant, 1)
    assert row["outcome"] == "upstream_cut"
    assert row["usage_source"] == "tokenizer"
    assert 0 < row["output_tokens"] < 10
