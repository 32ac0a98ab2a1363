"""A list holds one's own objects and those that are everybody's; for every list of the catalogue."""

import pytest

from proxy.endpoints.endpoint import Endpoint
from tests.proxy.isolation.actor import Actor
from tests.proxy.isolation.objects import LISTS, MAKERS

KINDS = {
    "/v1/chat/completions": "completion",
    "/v1/models": "model",
    "/v1/fine_tuning/jobs": "fine_tuning_job",
    **{f"/v1/{kind}s": kind for kind in MAKERS},
    "/v1/batches": "batch",
}
"""What stands in a list, by its path."""


async def listed(actor: Actor, path: str, **query: str) -> list[str]:
    answer = await actor.call("GET", path, params=query)
    assert answer.status == 200, answer.body
    return [item["id"] for item in answer.json["data"]]


@pytest.mark.parametrize("endpoint", LISTS, ids=lambda endpoint: endpoint.name)
async def test_one_finds_ones_own_and_not_a_strangers(
    owner: Actor, stranger: Actor, endpoint: Endpoint
) -> None:
    path = endpoint.template
    assert path in KINDS, f"nobody proves {path}"
    make = MAKERS[KINDS[path]]
    theirs, mine, newest = await make(owner, {}), await make(stranger, {}), await make(owner, {})
    for query in ({}, {"limit": "100"}, {"limit": "1"}, {"order": "asc", "limit": "100"}):
        found = await listed(stranger, path, **query)
        assert mine in found or query.get("limit") == "1"
        assert not {theirs, newest} & set(found)
    assert {theirs, newest} <= set(await listed(owner, path, limit="100"))


PAGED = [each for each in LISTS if each.lists is not None and each.lists.paged]


@pytest.mark.parametrize("endpoint", PAGED, ids=lambda endpoint: endpoint.name)
async def test_the_length_of_a_list_tells_nothing_of_a_stranger(
    owner: Actor, stranger: Actor, endpoint: Endpoint
) -> None:
    async def length() -> int:
        found = await stranger.client.head(
            stranger.house.proxy_url + endpoint.template,
            headers={"authorization": f"Bearer {stranger.tenant.key}"},
        )
        assert found.status_code == 200
        return int(found.headers["content-length"])

    before = await length()
    await MAKERS[KINDS[endpoint.template]](owner, {})
    assert await length() == before


@pytest.mark.parametrize("endpoint", PAGED, ids=lambda endpoint: endpoint.name)
async def test_a_strangers_object_is_no_place_to_begin_at(
    owner: Actor, stranger: Actor, endpoint: Endpoint
) -> None:
    make = MAKERS[KINDS[endpoint.template]]
    theirs, mine = await make(owner, {}), await make(stranger, {})
    for name in ("after", "before"):
        refused = await stranger.call("GET", endpoint.template, params={name: theirs})
        assert (refused.status, refused.reached) == (404, False)
        assert (await stranger.call("GET", endpoint.template, params={name: mine})).status == 200
        both = await stranger.call("GET", f"{endpoint.template}?{name}={mine}&{name}={theirs}")
        assert (both.status, both.reached) == (404, False)
