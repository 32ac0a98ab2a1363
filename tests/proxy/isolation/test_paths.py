"""An id in a path is found by whoever created it, and by nobody else; for every endpoint of the catalogue."""

from typing import Any

import pytest

from proxy.endpoints.endpoint import OBJECTS, Endpoint
from tests.proxy.isolation.actor import Actor, Answered
from tests.proxy.isolation.objects import ROWS, WITH_IDS, Ids, assistant, kinds, make


async def ask(actor: Actor, endpoint: Endpoint, ids: Ids) -> Answered:
    body: dict[str, Any] | None = {} if endpoint.method == "POST" else None
    match endpoint.name:
        case "evals.runs.create":
            body = {"data_source": ROWS}
        case "threads.runs.create":
            body = {"assistant_id": await assistant(actor, {})}
    return await actor.call(endpoint.method, endpoint.template.format(**ids), json=body)


@pytest.mark.parametrize("endpoint", WITH_IDS, ids=lambda endpoint: endpoint.name)
async def test_a_stranger_is_told_what_is_told_of_nothing(
    owner: Actor, stranger: Actor, endpoint: Endpoint
) -> None:
    theirs = await make(owner, endpoint)
    refused = await ask(stranger, endpoint, theirs)
    assert (refused.status, refused.reached) == (404, False)
    nothing = await ask(stranger, endpoint, {kind: f"ft:no-{kind}" for kind in theirs})
    said, unsaid = refused.json["error"], nothing.json["error"]
    assert said.pop("message").split("'")[::2] == unsaid.pop("message").split("'")[::2]
    assert said == unsaid
    found = await ask(owner, endpoint, theirs)
    assert found.reached
    assert found.status != 404, found.body


@pytest.mark.parametrize(
    "endpoint", [each for each in WITH_IDS if len(kinds(each)) > 1], ids=lambda endpoint: endpoint.name
)
async def test_one_foreign_id_among_ones_own_is_enough(
    owner: Actor, stranger: Actor, endpoint: Endpoint
) -> None:
    theirs, mine = await make(owner, endpoint), await make(stranger, endpoint)
    for kind in theirs:
        refused = await ask(stranger, endpoint, mine | {kind: theirs[kind]})
        assert refused.status == 404, (kind, refused.body)
        assert not (refused.reached and kind in OBJECTS), kind
