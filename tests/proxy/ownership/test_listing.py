"""Lists hold the caller's own objects only, and page as if there were no others."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.system import UPSTREAM_KEY, System, Tenant

CHAT = "/v1/chat/completions"


@pytest.fixture
async def tenant(house: System) -> Tenant:
    return await house.tenant(unpriced_models="allow")


async def stored(house: System, tenant: Tenant, count: int) -> list[str]:
    """Ids of as many stored chats, the newest first."""
    ids = []
    async with house.client(tenant) as client:
        for _ in range(count):
            body = {
                "model": "gpt-4o-mini+tokens=2",
                "messages": [{"role": "user", "content": "Hello"}],
                "store": True,
            }
            ids.append((await client.post(CHAT, json=body)).json()["id"])
    return ids[::-1]


async def pages(house: System, tenant: Tenant, **query: Any) -> list[dict[str, Any]]:
    """All pages, each asked for behind the last of the one before."""
    found: list[dict[str, Any]] = []
    async with house.client(tenant) as client:
        while not found or found[-1]["has_more"]:
            after = {"after": found[-1]["last_id"]} if found else {}
            answer = await client.get(CHAT, params=query | after)
            assert answer.status_code == 200, answer.text
            assert int(answer.headers["content-length"]) == len(answer.content)
            found.append(answer.json())
    return found


async def test_a_list_holds_ones_own_only(house: System, tenant: Tenant) -> None:
    stranger = await house.tenant(unpriced_models="allow")
    mine = await stored(house, tenant, 2)
    others = await stored(house, stranger, 2)
    mine = await stored(house, tenant, 1) + mine
    [listed] = await pages(house, tenant, order="desc")
    assert [item["id"] for item in listed["data"]] == mine
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == (mine[0], mine[-1], False)
    [listed] = await pages(house, stranger, order="desc")
    assert [item["id"] for item in listed["data"]] == others


async def test_pages_are_full_although_others_stand_between(house: System, tenant: Tenant) -> None:
    stranger = await house.tenant(unpriced_models="allow")
    mine: list[str] = []
    for _ in range(5):
        mine = await stored(house, tenant, 1) + mine
        await stored(house, stranger, 3)
    found = await pages(house, tenant, order="desc", limit=2)
    assert [[item["id"] for item in page["data"]] for page in found] == [mine[:2], mine[2:4], mine[4:]]


async def test_who_has_nothing_gets_an_empty_list(house: System, tenant: Tenant) -> None:
    await stored(house, await house.tenant(unpriced_models="allow"), 1)
    [listed] = await pages(house, tenant)
    assert (listed["data"], listed["first_id"], listed["has_more"]) == ([], None, False)


async def test_listing_costs_nothing_and_is_recorded(house: System, tenant: Tenant) -> None:
    await pages(house, tenant)
    [row] = await house.records(tenant, 1)
    assert (row["endpoint"], row["status"], row["outcome"]) == (CHAT, 200, "completed")
    assert (row["input_tokens"], row["output_tokens"], row["price_nano"]) == (0, 0, 0)


async def test_a_stored_chat_is_found_changed_and_deleted_by_its_owner_only(
    house: System, tenant: Tenant
) -> None:
    stranger = await house.tenant(unpriced_models="allow")
    [identifier] = await stored(house, tenant, 1)
    one = f"{CHAT}/{identifier}"
    calls: list[tuple[str, str, Any]] = [
        ("GET", one, None),
        ("GET", f"{one}/messages", None),
        ("POST", one, {"metadata": {"label": "x"}}),
        ("DELETE", one, None),
    ]
    async with house.client(stranger) as client:
        assert {(await client.request(m, p, json=body)).status_code for m, p, body in calls} == {404}
    async with house.client(tenant) as client:
        assert [(await client.request(m, p, json=body)).status_code for m, p, body in calls] == [200] * 4


async def test_what_lies_deep_among_the_things_of_others_is_found_without_reading_all_of_them(
    house: System, tenant: Tenant
) -> None:
    async with house.client(tenant) as client:
        made = [await client.post("/v1/vector_stores", json={"name": f"own {number}"}) for number in range(3)]
        own = [answer.json()["id"] for answer in made]
        await house.records(tenant, 3)
    key = {"authorization": f"Bearer {UPSTREAM_KEY}"}
    async with httpx.AsyncClient(base_url=house.upstream_url, headers=key, timeout=60) as upstream:
        for _ in range(14):
            await asyncio.gather(*(upstream.post("/v1/vector_stores", json={"name": "x"}) for _ in range(50)))
    before = (await house.books())["total"]["requests"]
    async with house.client(tenant) as client:
        assert (await client.delete(f"/v1/vector_stores/{own[1]}")).status_code == 200
        first = (await client.get("/v1/vector_stores?limit=1")).json()
        rest = (await client.get(f"/v1/vector_stores?limit=5&after={first['last_id']}")).json()
    assert ([each["id"] for each in first["data"]], first["has_more"]) == ([own[2]], True)
    assert ([each["id"] for each in rest["data"]], rest["has_more"]) == ([own[0]], False)
    assert (await house.books())["total"]["requests"] - before < 20
