"""An id in a body is taken from whoever created it, and from nobody else, wherever the API lets it stand."""

import json
from typing import Any, NamedTuple

import pytest

from proxy.endpoints.catalogue import CATALOGUE
from proxy.endpoints.endpoint import Endpoint
from proxy.ownership.mentions import REFERENCES
from tests.proxy.isolation.actor import Actor, Answered
from tests.proxy.isolation.objects import (
    CHAT,
    EVAL,
    MAKERS,
    MODEL,
    ROWS,
    file,
    make,
)

ASKED = {"model": MODEL, "input": "Hello"}
TEMPLATE = {"type": "template", "template": [{"role": "user", "content": "Hello"}]}
SCORE = {"type": "score_model", "name": "score", "input": [{"role": "user", "content": "Rate"}]}


def said(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


class Case(NamedTuple):
    """The id of a `kind` stands in the body of a POST where ID does."""

    kind: str
    path: str
    body: dict[str, Any]


def tools(**tool: Any) -> dict[str, Any]:
    return ASKED | {"tools": [tool]}


CASES = (
    Case("response", "/v1/responses", ASKED | {"previous_response_id": "ID"}),
    Case("response", "/v1/responses", ASKED | {"prompt_cache_options": {"comparison_response_id": "ID"}}),
    Case("response", "/v1/responses/input_tokens", ASKED | {"previous_response_id": "ID"}),
    Case("response", "/v1/responses/compact", ASKED | {"previous_response_id": "ID"}),
    Case("conversation", "/v1/responses", ASKED | {"conversation": "ID"}),
    Case("conversation", "/v1/responses", ASKED | {"conversation": {"id": "ID"}}),
    Case("file", "/v1/responses", ASKED | {"input": [said({"type": "input_file", "file_id": "ID"})]}),
    Case("file", "/v1/responses", ASKED | {"input": [said({"type": "input_image", "file_id": "ID"})]}),
    Case(
        "file",
        "/v1/responses",
        ASKED | {"prompt": {"id": "pmpt_1", "variables": {"a": {"type": "input_file", "file_id": "ID"}}}},
    ),
    Case(
        "file",
        "/v1/responses",
        tools(type="code_interpreter", container={"type": "auto", "file_ids": ["ID"]}),
    ),
    Case("file", "/v1/responses", tools(type="image_generation", input_image_mask={"file_id": "ID"})),
    Case("container", "/v1/responses", tools(type="code_interpreter", container="ID")),
    Case(
        "container",
        "/v1/responses",
        tools(type="shell", environment={"type": "container_reference", "container_id": "ID"}),
    ),
    Case("vector_store", "/v1/responses", tools(type="file_search", vector_store_ids=["ID"])),
    Case(
        "file",
        "/v1/conversations",
        {"items": [said({"type": "input_file", "file_id": "ID"})]},
    ),
    Case(
        "file",
        "/v1/conversations/{conversation}/items",
        {"items": [said({"type": "input_file", "file_id": "ID"})]},
    ),
    Case(
        "file",
        "/v1/chat/completions",
        CHAT | {"messages": [said({"type": "file", "file": {"file_id": "ID"}})]},
    ),
    Case("model", "/v1/chat/completions", CHAT | {"model": "ID"}),
    Case("model", "/v1/responses", ASKED | {"model": "ID"}),
    Case("file", "/v1/vector_stores", {"file_ids": ["ID"]}),
    Case("file", "/v1/vector_stores/{vector_store}/files", {"file_id": "ID"}),
    Case("file", "/v1/vector_stores/{vector_store}/file_batches", {"file_ids": ["ID"]}),
    Case("file", "/v1/vector_stores/{vector_store}/file_batches", {"files": [{"file_id": "ID"}]}),
    Case(
        "file",
        "/v1/batches",
        {"endpoint": "/v1/chat/completions", "completion_window": "24h", "input_file_id": "ID"},
    ),
    Case("file", "/v1/fine_tuning/jobs", {"model": MODEL, "training_file": "ID"}),
    Case("model", "/v1/assistants", {"model": "ID"}),
    Case(
        "vector_store",
        "/v1/assistants",
        {"model": MODEL, "tool_resources": {"file_search": {"vector_store_ids": ["ID"]}}},
    ),
    Case(
        "file",
        "/v1/assistants",
        {"model": MODEL, "tool_resources": {"file_search": {"vector_stores": [{"file_ids": ["ID"]}]}}},
    ),
    Case(
        "file",
        "/v1/assistants/{assistant}",
        {"tool_resources": {"code_interpreter": {"file_ids": ["ID"]}}},
    ),
    Case("model", "/v1/assistants/{assistant}", {"model": "ID"}),
    Case(
        "file", "/v1/threads", {"messages": [said({"type": "image_file", "image_file": {"file_id": "ID"}})]}
    ),
    Case("file", "/v1/threads", {"tool_resources": {"code_interpreter": {"file_ids": ["ID"]}}}),
    Case(
        "vector_store",
        "/v1/threads/{thread}",
        {"tool_resources": {"file_search": {"vector_store_ids": ["ID"]}}},
    ),
    Case(
        "file",
        "/v1/threads/{thread}/messages",
        {"role": "user", "content": "Hello", "attachments": [{"file_id": "ID"}]},
    ),
    Case("assistant", "/v1/threads/{thread}/runs", {"assistant_id": "ID"}),
    Case("assistant", "/v1/threads/runs", {"assistant_id": "ID"}),
    Case("file", "/v1/containers", {"name": "c", "file_ids": ["ID"]}),
    Case(
        "file",
        "/v1/evals/{eval}/runs",
        {"data_source": {"type": "jsonl", "source": {"type": "file_id", "id": "ID"}}},
    ),
    Case("model", "/v1/evals", EVAL | {"testing_criteria": [SCORE | {"model": "ID"}]}),
    Case(
        "model",
        "/v1/evals/{eval}/runs",
        {"data_source": ROWS | {"type": "completions", "model": "ID", "input_messages": TEMPLATE}},
    ),
)


def written(body: dict[str, Any], identifier: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(body).replace('"ID"', json.dumps(identifier)))
    return found


def endpoint_at(path: str) -> Endpoint:
    return next(each for each in CATALOGUE if (each.method, each.template) == ("POST", path))


async def post(actor: Actor, path: str, body: dict[str, Any]) -> Answered:
    """Where the path asks for ids, they are the actor's own."""
    own = await make(actor, endpoint_at(path))
    return await actor.call("POST", path.format(**own), json=body)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind} in {case.path[4:]}")
async def test_a_stranger_finds_nothing_to_use(owner: Actor, stranger: Actor, case: Case) -> None:
    theirs = await MAKERS[case.kind](owner, {})
    body = written(case.body, theirs)
    refused = await post(stranger, case.path, body)
    assert (refused.status, refused.reached) == (404, False), refused.body
    assert "No object found" in refused.json["error"]["message"]
    used = await post(owner, case.path, body)
    assert used.status == 200, used.body


@pytest.mark.parametrize("name", sorted(REFERENCES))
async def test_every_member_that_can_name_an_object_is_looked_at(
    owner: Actor, stranger: Actor, name: str
) -> None:
    theirs = await MAKERS["response"](owner, {})
    for value in (theirs, [theirs], {"id": theirs}):
        refused = await post(stranger, "/v1/responses", ASKED | {"text": {name: value}})
        assert (refused.status, refused.reached) == (404, False)
        assert (await post(owner, "/v1/responses", ASKED | {"text": {name: value}})).reached


@pytest.mark.parametrize(
    "endpoint",
    [each for each in CATALOGUE if each.method == "POST"],
    ids=lambda endpoint: endpoint.name,
)
async def test_every_endpoint_looks_at_its_body(owner: Actor, stranger: Actor, endpoint: Endpoint) -> None:
    theirs = await file(owner, {})
    refused = await post(stranger, endpoint.template, CHAT | {"input": "Hello", "file_id": theirs})
    assert (refused.status, refused.reached) == (404, False), refused.body


@pytest.mark.parametrize(
    "field", ["file_id", "FILE_ID", "file_ids[]", "images[0][file_id]", "input_reference[file_id]", "session"]
)
@pytest.mark.parametrize(
    "endpoint",
    [each for each in CATALOGUE if each.takes in ("form", "upload")],
    ids=lambda endpoint: endpoint.name,
)
async def test_every_form_is_looked_into(
    owner: Actor, stranger: Actor, endpoint: Endpoint, field: str
) -> None:
    theirs = await file(owner, {})
    value = json.dumps({"file_id": theirs}) if field == "session" else theirs
    fields = {"model": "gpt-image-1", "prompt": "Hello", "purpose": "user_data", "size": "1024x1024"}
    own = await make(stranger, endpoint)
    refused = await stranger.call(
        "POST",
        endpoint.template.format(**own),
        data=fields | {field: value},
        files={"file": ("a.txt", b"Hello"), "image": ("a.png", b"Hello")},
    )
    assert (refused.status, refused.answered) == (404, False), refused.body
    assert endpoint.takes == "upload" or not refused.reached  # what passes as it comes is broken off
