"""What is another's is not reached in roundabout ways: by items, lines of files, parts, ids of one's own choosing."""

import json
from typing import Any

import pytest

from tests.proxy.isolation.actor import Actor, Answered
from tests.proxy.isolation.objects import (
    CHAT,
    MAKERS,
    MODEL,
    answered,
    begun_batch,
    file,
    lines,
    uploaded,
)
from tests.proxy.isolation.test_bodies import ASKED, post, said, tools


@pytest.mark.parametrize(
    "members",
    [
        {"type": "item_reference"},
        {"type": "reasoning", "summary": []},
        {"type": "image_generation_call", "result": None},
    ],
    ids=lambda members: str(members["type"]),
)
async def test_an_item_of_anothers_answer_is_not_taken_up(
    owner: Actor, stranger: Actor, members: dict[str, Any]
) -> None:
    item = (await answered(owner))["output"][0]["id"]
    body = ASKED | {"input": [members | {"id": item}]}
    refused = await stranger.call("POST", "/v1/responses", json=body)
    assert (refused.status, refused.reached) == (404, False)
    assert (await owner.call("POST", "/v1/responses", json=body)).reached


async def test_a_container_of_a_response_is_its_owners(owner: Actor, stranger: Actor) -> None:
    asked = {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}
    made = await answered(owner, **asked)
    [container] = [item["container_id"] for item in made["output"] if "container_id" in item]
    again = tools(type="code_interpreter", container=container)
    refused = await stranger.call("POST", "/v1/responses", json=again)
    assert (refused.status, refused.reached) == (404, False)
    assert (await stranger.call("GET", f"/v1/containers/{container}")).status == 404
    assert (await owner.call("POST", "/v1/responses", json=again)).status == 200
    assert (await owner.call("GET", f"/v1/containers/{container}")).status == 200


@pytest.mark.parametrize("kind", ["file", "model"])
async def test_the_lines_of_a_batch_name_nobody_elses_objects(
    owner: Actor, stranger: Actor, kind: str
) -> None:
    theirs = await MAKERS[kind](owner, {})
    body = {
        "file": CHAT | {"messages": [said({"type": "file", "file": {"file_id": theirs}})]},
        "model": CHAT | {"model": theirs},
    }[kind]
    asked = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
    refused = await stranger.call(
        "POST", "/v1/batches", json=asked | {"input_file_id": await lines(stranger, CHAT, body)}
    )
    assert (refused.status, refused.reached) == (404, False), refused.body
    assert (await begun_batch(owner, await lines(owner, CHAT, body)))["status"] == "validating"


async def test_what_a_background_answer_brought_is_its_owners(owner: Actor, stranger: Actor) -> None:
    asked = {"background": True, "tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}
    made = await answered(owner, **asked)
    done = (await owner.call("GET", f"/v1/responses/{made['id']}")).json
    [container] = [item["container_id"] for item in done["output"] if "container_id" in item]
    bodies = (
        ASKED | {"input": [{"type": "item_reference", "id": done["output"][-1]["id"]}]},
        tools(type="code_interpreter", container=container),
    )
    for body in bodies:
        refused = await stranger.call("POST", "/v1/responses", json=body)
        assert (refused.status, refused.reached) == (404, False)
        assert (await owner.call("POST", "/v1/responses", json=body)).reached


async def test_nobody_makes_an_item_ones_own_by_naming_it(owner: Actor, stranger: Actor) -> None:
    theirs = (await answered(owner))["output"][0]["id"]
    talk = await MAKERS["conversation"](stranger, {})
    item = {"type": "message", "id": theirs, "status": "completed", "role": "user", "content": "Hello"}
    await stranger.call("POST", f"/v1/conversations/{talk}/items", json={"items": [item]})
    body = ASKED | {"input": [{"type": "item_reference", "id": theirs}]}
    refused = await stranger.call("POST", "/v1/responses", json=body)
    assert (refused.status, refused.reached) == (404, False)


@pytest.mark.parametrize("inline", [True, False], ids=["in the request", "in a file"])
async def test_the_items_of_an_eval_bring_no_messages_with_anothers_files(
    owner: Actor, stranger: Actor, inline: bool
) -> None:
    theirs = await file(owner, {})
    row = {"item": {"said": [said({"type": "input_file", "file_id": theirs})]}}

    async def run(actor: Actor) -> Answered:
        source: dict[str, Any] = {"type": "file_content", "content": [row]}
        if not inline:
            content = json.dumps({"item": {}}) + "\n" + json.dumps(row)
            source = {"type": "file_id", "id": await uploaded(actor, content.encode(), "user_data")}
        messages = {"type": "item_reference", "item_reference": "item.said"}
        asked = {"type": "responses", "model": MODEL, "source": source, "input_messages": messages}
        return await post(actor, "/v1/evals/{eval}/runs", {"data_source": asked})

    refused = await run(stranger)
    assert (refused.status, refused.reached) == (404, False), refused.body
    assert (await run(owner)).status == 200


async def test_an_upload_is_not_completed_with_anothers_part(owner: Actor, stranger: Actor) -> None:
    async def upload_with_part(actor: Actor) -> tuple[str, str]:
        path = f"/v1/uploads/{await MAKERS['upload'](actor, {})}"
        part = await actor.made(f"{path}/parts", files={"data": ("a", b"abc")})
        return path, part["id"]

    path, mine = await upload_with_part(stranger)
    _, theirs = await upload_with_part(owner)
    for parts in ([theirs], [mine, theirs]):
        refused = await stranger.call("POST", f"{path}/complete", json={"part_ids": parts})
        assert (refused.status, refused.reached) == (404, False)
    done = await stranger.call("POST", f"{path}/complete", json={"part_ids": [mine]})
    assert done.json["status"] == "completed"


async def test_a_model_tuned_for_another_is_no_deployment(owner: Actor, stranger: Actor) -> None:
    theirs = await MAKERS["model"](owner, {})
    path = f"/openai/deployments/{theirs}/chat/completions?api-version=2025-04-01-preview"
    for body in ({"messages": CHAT["messages"]}, CHAT):
        refused = await stranger.call("POST", path, json=body)
        assert (refused.status, refused.reached) == (404, False), refused.body
        assert (await owner.call("POST", path, json=body)).status == 200
