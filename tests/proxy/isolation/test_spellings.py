"""However the id of somebody else's object is spelled in a path, it leads nowhere."""

from urllib.parse import quote

import pytest

from tests.proxy.isolation.actor import Actor
from tests.proxy.isolation.objects import conversation, file, item, response

SPELLINGS = {
    "plain": "/v1/responses/{id}",
    "first letter encoded": "/v1/responses/%72{rest}",
    "all encoded": "/v1/responses/{hex}",
    "encoded twice": "/v1/responses/{twice}",
    "upper case": "/v1/responses/{upper}",
    "slash behind": "/v1/responses/{id}/",
    "slashes between": "/v1/responses//{id}",
    "slashes before": "//v1/responses/{id}",
    "a dot between": "/v1/responses/./{id}",
    "a dot encoded": "/v1/responses/%2e/{id}",
    "up from one's own": "/v1/responses/{mine}/../{id}",
    "up, encoded": "/v1/responses/{mine}/%2e%2e/{id}",
    "up, slashes encoded": "/v1/responses/{mine}%2F..%2F{id}",
    "up, encoded twice": "/v1/responses/{mine}%252F..%252F{id}",
    "up by backslashes": "/v1/responses/{mine}%5C..%5C{id}",
    "up from an item": "/v1/conversations/{own}/items/..%2F..%2F..%2Fresponses%2F{id}",
    "up from an item, encoded twice": "/v1/conversations/{own}/items/..%252F..%252F..%252Fresponses%252F{id}",
    "up from an item by backslashes": "/v1/conversations/{own}/items/..%5C..%5C..%5Cresponses%5C{id}",
    "an encoded query": "/v1/responses/{id}%3Fa=b",
    "a fragment": "/v1/responses/{id}%23a",
    "a parameter": "/v1/responses/{id};a=b",
    "one's own before a semicolon": "/v1/responses/{mine};{id}",
    "a space behind": "/v1/responses/{id}%20",
    "a null behind": "/v1/responses/{id}%00",
    "a tab before": "/v1/responses/%09{id}",
    "a line end behind": "/v1/responses/{id}%0d%0a",
    "other case of the path": "/v1/Responses/{id}",
    "encoded path": "/v1/%72esponses/{id}",
    "absolute": "http://upstream/v1/responses/{id}",
    "doubled version": "/v1/v1/responses/{id}",
    "Azure's path": "/openai/v1/responses/{id}",
    "Azure's older path": "/openai/responses/{id}?api-version=2025-04-01-preview",
    "Azure's path, written twice": "/openai/openai/responses/{id}?api-version=2025-04-01-preview",
    "a deployment": "/openai/deployments/x/responses/{id}?api-version=2025-04-01-preview",
    "a deployment and up": "/openai/deployments/..%2f..%2fv1/responses/{id}?api-version=2025-04-01-preview",
    "overlong dot": "/v1/responses/{mine}/%c0%ae%c0%ae/{id}",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_no_spelling_leads_to_what_is_anothers(
    owner: Actor, stranger: Actor, method: str, spelling: str
) -> None:
    theirs, mine = await response(owner, {}), await response(stranger, {})
    encoded = "".join(f"%{ord(letter):02x}" for letter in theirs)
    target = SPELLINGS[spelling].format(
        id=theirs,
        rest=theirs[1:],
        hex=encoded,
        twice=quote(encoded),
        upper=theirs.upper(),
        mine=mine,
        own=await conversation(stranger, {}),
    )
    refused = await stranger.spell(method, target)
    assert refused.status in (400, 404, 405), refused.body
    assert theirs.encode() not in refused.body.partition(b'"message"')[0]
    if refused.reached:  # as something else, which does not exist either
        assert refused.status == 404
    assert (await owner.call("GET", f"/v1/responses/{theirs}")).status == 200
    assert (await stranger.call("GET", f"/v1/responses/{mine}")).status == 200


async def test_ones_own_is_found_however_its_letters_are_encoded(owner: Actor) -> None:
    mine = await response(owner, {})
    assert (await owner.spell("GET", f"/v1/responses/%72{mine[1:]}")).status == 200


@pytest.mark.parametrize(
    "body",
    [
        '{{"model": "gpt-4o-mini", "input": "Hi", "previous_response_id": "{id}"}}',
        '{{"model": "gpt-4o-mini", "input": "Hi", "previous\\u005fresponse_id": "{id}"}}',
        '{{"model": "gpt-4o-mini", "input": "Hi", "previous_response_id": "\\u0072{rest}"}}',
        '{{"model": "gpt-4o-mini", "input": "Hi", "previous_response_id": "{mine}", "previous_response_id": "{id}"}}',
        '{{"model": "gpt-4o-mini", "input": "Hi", "previous_response_id": "{id}", "previous_response_id": "{mine}"}}',
        '{{"model": "gpt-4o-mini", "input": "Hi", "previous_response_id": "{id}", "previous_response_id": null}}',
        '{{"model": "gpt-4o-mini", "input": "Hi", "Previous_Response_Id": "{id}"}}',
        '\ufeff{{"model": "gpt-4o-mini", "input": "Hi", "previous_response_id": "{id}"}}',
    ],
)
async def test_no_spelling_in_a_body_does(owner: Actor, stranger: Actor, body: str) -> None:
    theirs, mine = await response(owner, {}), await response(stranger, {})
    text = body.format(id=theirs, rest=theirs[1:], mine=mine)
    refused = await stranger.spell("POST", "/v1/responses", text.encode())
    assert refused.status in (400, 404), refused.body
    assert not refused.reached
    wide = await stranger.spell("POST", "/v1/responses", text.encode("utf-16"))
    assert (wide.status, wide.reached) == (400, False)


async def test_a_file_or_an_item_is_no_response(owner: Actor, stranger: Actor) -> None:
    """What one owns opens no other door."""
    talk = await conversation(stranger, {})
    names = [talk, await file(stranger, {}), await item(stranger, {"conversation": talk})]
    for name in names:
        assert (await stranger.call("GET", f"/v1/responses/{name}")).status == 404
