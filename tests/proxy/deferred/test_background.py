"""Answers worked on in the background: charged once, as the provider reported it, however often they are looked at."""

import asyncio
from typing import Any

import pytest

from proxy.pipeline import RedisPipeline
from proxy.quota.view import read_holds
from tests.system import System, Tenant, until

RESPONSES = "/v1/responses"


@pytest.fixture
async def tenant(house: System) -> Tenant:
    return await house.tenant(unpriced_models="allow")


async def begun(house: System, tenant: Tenant, finish: int, **members: Any) -> dict[str, Any]:
    body = {"model": f"gpt-4o-mini+tokens=12;finish={finish}", "input": "Hello", "background": True} | members
    async with house.client(tenant) as client:
        answer = await client.post(RESPONSES, json=body)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    assert made["status"] in ("queued", "in_progress")
    assert made["usage"] is None
    return made


async def held(house: System, tenant: Tenant) -> int:
    async with RedisPipeline.opened(house.redis_url, timeout=5) as redis:
        return len(await read_holds(redis, tenant.organization_id))


async def test_it_is_held_until_it_is_seen_finished_and_then_charged_once(
    house: System, tenant: Tenant
) -> None:
    made = await begun(house, tenant, finish=0)
    assert await held(house, tenant) == 1
    async with house.client(tenant) as client:
        looks = [await client.get(f"{RESPONSES}/{made['id']}") for _ in range(3)]
        looks += await asyncio.gather(*(client.get(f"{RESPONSES}/{made['id']}") for _ in range(5)))
    finished = looks[-1].json()
    assert finished["status"] == "completed"
    rows = await house.records(tenant, 1 + len(looks))
    charged = [row for row in rows if row["input_tokens"] + row["output_tokens"] > 0]
    assert [(row["endpoint"], row["usage_source"]) for row in charged] == [("/v1/responses", "provider")]
    assert charged[0]["input_tokens"] == finished["usage"]["input_tokens"]
    assert charged[0]["output_tokens"] == finished["usage"]["output_tokens"] == 12
    assert await held(house, tenant) == 0


async def test_looking_while_it_is_worked_on_charges_nothing(house: System, tenant: Tenant) -> None:
    made = await begun(house, tenant, finish=60_000)
    async with house.client(tenant) as client:
        assert (await client.get(f"{RESPONSES}/{made['id']}")).json()["status"] in ("queued", "in_progress")
        [row] = await house.records(tenant, 1)
        assert (row["endpoint"], row["input_tokens"], row["output_tokens"]) == (
            "/v1/responses/{response}",
            0,
            0,
        )
        assert await held(house, tenant) == 1
        assert (await client.post(f"{RESPONSES}/{made['id']}/cancel")).json()["status"] == "cancelled"

    async def free() -> bool | None:
        return True if await held(house, tenant) == 0 else None

    await until(free, "the hold of a cancelled answer to go")


async def test_another_organization_can_neither_look_nor_settle(house: System, tenant: Tenant) -> None:
    made = await begun(house, tenant, finish=0)
    stranger = await house.tenant(unpriced_models="allow")
    async with house.client(stranger) as client:
        assert (await client.get(f"{RESPONSES}/{made['id']}")).status_code == 404
        assert (await client.post(f"{RESPONSES}/{made['id']}/cancel")).status_code == 404
    assert await held(house, tenant) == 1
    async with house.client(tenant) as client:
        await client.get(f"{RESPONSES}/{made['id']}")
    await house.records(tenant, 2)


async def test_who_leaves_a_background_stream_is_charged_when_it_is_seen_finished(
    house: System, tenant: Tenant
) -> None:
    body = {
        "model": "gpt-4o-mini+tokens=40;pace=30;finish=0",
        "input": "Hello",
        "background": True,
        "stream": True,
    }
    async with house.client(tenant) as client, client.stream("POST", RESPONSES, json=body) as answer:
        async for line in answer.aiter_lines():
            if "output_text.delta" in line:
                break
            if "resp_" in line:
                identifier = "resp_" + line.partition("resp_")[2].partition('"')[0]

    async with house.client(tenant) as client:

        async def completed() -> bool | None:
            look = (await client.get(f"{RESPONSES}/{identifier}")).json()
            return True if look["status"] == "completed" else None

        await until(completed, "the answer to be finished")

    async def charged() -> list[dict[str, Any]] | None:
        query = "select * from usage where organization_id = $1 and output_tokens > 0"
        return await house.fetch(query, tenant.organization_id) or None

    [row] = await until(charged, "the answer to be charged")
    assert (row["endpoint"], row["usage_source"], row["output_tokens"]) == ("/v1/responses", "provider", 40)
    assert await held(house, tenant) == 0


async def test_calls_of_the_providers_tools_are_held_and_charged(house: System) -> None:
    tenant = await house.tenant(currency="USD")
    body = {
        "model": "gpt-4.1",
        "input": "What is new?",
        "tools": [{"type": "web_search"}],
        "max_output_tokens": 20,
    }
    async with house.client(tenant) as client:
        answer = await client.post(RESPONSES, json=body)
    assert answer.status_code == 200, answer.text
    [row] = await house.records(tenant, 1)
    assert row["quantities"] == '{"web_search_call": 1}'
    tokens = row["input_tokens"] * 2000 + row["output_tokens"] * 8000
    assert row["cost_nano_usd"] == tokens + 10_000_000

    # What a search brings into the prompt is not known, so a whole context is held: 2.62; and 0.01 for each call.
    poor = await house.tenant(currency="USD", limits={"spend_per_month": "2.70"})
    async with house.client(poor) as client:
        assert (await client.post(RESPONSES, json=body)).status_code == 402
        assert (await client.post(RESPONSES, json=body | {"max_tool_calls": 1})).status_code == 200
