"""Whose objects these are: known at once to every proxy, and still when Redis has forgotten."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.system import System, Tenant, until

RESPONSES = "/v1/responses"


@pytest.fixture
async def tenant(house: System) -> Tenant:
    return await house.tenant(unpriced_models="allow")


async def create(house: System, tenant: Tenant, **members: Any) -> dict[str, Any]:
    async with house.client(tenant) as client:
        answer = await client.post(
            RESPONSES, json={"model": "gpt-4o-mini+tokens=5", "input": "Hello"} | members
        )
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def status_of(house: System, tenant: Tenant, previous: str) -> int:
    body = {"model": "gpt-4o-mini+tokens=5", "input": "And?", "previous_response_id": previous}
    async with house.client(tenant) as client:
        return (await client.post(RESPONSES, json=body)).status_code


async def test_a_response_can_be_gone_on_from_by_its_own_organization_only(
    house: System, tenant: Tenant
) -> None:
    stranger = await house.tenant(unpriced_models="allow")
    made = await create(house, tenant)
    assert await status_of(house, tenant, made["id"]) == 200
    assert await status_of(house, stranger, made["id"]) == 404
    assert await status_of(house, tenant, "resp_nobody_has_this") == 404


async def test_an_item_of_another_organization_can_not_be_referred_to(house: System, tenant: Tenant) -> None:
    stranger = await house.tenant(unpriced_models="allow")
    item = (await create(house, tenant))["output"][0]["id"]
    body = {"model": "gpt-4o-mini+tokens=5", "input": [{"type": "item_reference", "id": item}]}
    async with house.client(stranger) as client:
        assert (await client.post(RESPONSES, json=body)).status_code == 404


async def test_a_stream_brings_its_response_before_it_ends(house: System, tenant: Tenant) -> None:
    body = {"model": "gpt-4o-mini+tokens=40;pace=20", "input": "Hello", "stream": True}
    async with house.client(tenant) as client, client.stream("POST", RESPONSES, json=body) as answer:
        lines = answer.aiter_lines()
        async for line in lines:
            if "resp_" in line:
                break
        identifier = "resp_" + line.partition("resp_")[2].partition('"')[0]
        assert await status_of(house, tenant, identifier) == 200
        async for _ in lines:
            pass
    assert await status_of(house, await house.tenant(unpriced_models="allow"), identifier) == 404


async def test_ownership_outlives_what_redis_knows(house: System, tenant: Tenant) -> None:
    made = await create(house, tenant)
    await house.records(tenant, 1)
    redis = Redis.from_url(house.redis_url)
    assert (
        await redis.delete(*[key async for key in redis.scan_iter(f"*:owns:{tenant.organization_id}:*")]) > 0
    )
    await redis.aclose()
    assert await status_of(house, tenant, made["id"]) == 200
    assert await status_of(house, await house.tenant(unpriced_models="allow"), made["id"]) == 404


async def test_what_is_not_stored_is_nobodys(house: System, tenant: Tenant) -> None:
    made = await create(house, tenant, store=False)
    assert await status_of(house, tenant, made["id"]) == 404


async def test_the_ledger_names_the_object_and_its_parts(house: System, tenant: Tenant) -> None:
    made = await create(house, tenant)
    await house.records(tenant, 1)
    query = "select id, kind from upstream_object where organization_id = $1"

    async def rows() -> list[dict[str, Any]] | None:
        return await house.fetch(query, tenant.organization_id) or None

    found = {row["id"]: row["kind"] for row in await until(rows, "the objects in the ledger")}
    assert found == {made["id"]: "response", **{item["id"]: "part" for item in made["output"]}}


async def test_another_organizations_ids_in_the_path_are_not_found(house: System, tenant: Tenant) -> None:
    made = await create(house, tenant)
    stranger = await house.tenant(unpriced_models="allow")
    calls = [
        ("GET", f"{RESPONSES}/{made['id']}"),
        ("DELETE", f"{RESPONSES}/{made['id']}"),
        ("POST", f"{RESPONSES}/{made['id']}/cancel"),
        ("GET", f"{RESPONSES}/{made['id']}/input_items"),
        ("GET", "/v1/conversations/conv_of_somebody"),
        ("POST", "/v1/conversations/conv_of_somebody"),
        ("DELETE", "/v1/conversations/conv_of_somebody"),
        ("GET", "/v1/conversations/conv_of_somebody/items"),
        ("POST", "/v1/conversations/conv_of_somebody/items"),
        ("GET", "/v1/conversations/conv_of_somebody/items/msg_1"),
        ("DELETE", "/v1/conversations/conv_of_somebody/items/msg_1"),
        ("GET", "/v1/chat/completions/chatcmpl-of-somebody"),
        ("POST", "/v1/chat/completions/chatcmpl-of-somebody"),
        ("DELETE", "/v1/chat/completions/chatcmpl-of-somebody"),
        ("GET", "/v1/chat/completions/chatcmpl-of-somebody/messages"),
    ]
    async with house.client(stranger) as client:
        answers = await asyncio.gather(*(client.request(method, path) for method, path in calls))
    assert [answer.status_code for answer in answers] == [404] * len(calls)
    assert all("No object found" in answer.json()["error"]["message"] for answer in answers)
