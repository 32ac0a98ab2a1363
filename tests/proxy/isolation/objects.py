"""How an object of each kind comes to be, through the proxy. A kind that is not here can't be proven."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from proxy.endpoints.catalogue import CATALOGUE
from proxy.endpoints.endpoint import Endpoint
from tests.proxy.isolation.actor import Actor

Ids = dict[str, str]
Maker = Callable[[Actor, Ids], Awaitable[str]]
MAKERS: dict[str, Maker] = {}
"""By kind. The ids of what stands before it in a path are given."""

MODEL = "gpt-4o-mini"
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
LINE = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions"}
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}


def kinds(endpoint: Endpoint) -> list[str]:
    """Of the ids in its path."""
    return re.findall(r"\{(\w+)\}", endpoint.template)


async def make(actor: Actor, endpoint: Endpoint) -> Ids:
    """An id for each place in the path, of objects that belong together."""
    ids: Ids = {}
    for kind in kinds(endpoint):
        assert kind in MAKERS, f"nobody proves {kind}"
        ids[kind] = await MAKERS[kind](actor, ids)
    return ids


def _makes(kind: str) -> Callable[[Maker], Maker]:
    def enter(maker: Maker) -> Maker:
        MAKERS[kind] = maker
        return maker

    return enter


@_makes("completion")
async def completion(actor: Actor, _: Ids) -> str:
    return str((await actor.made("/v1/chat/completions", json=CHAT | {"store": True}))["id"])


@_makes("response")
async def response(actor: Actor, _: Ids) -> str:
    return str((await answered(actor))["id"])


async def answered(actor: Actor, **members: Any) -> dict[str, Any]:
    """A response."""
    return await actor.made("/v1/responses", json={"model": MODEL, "input": "Hello"} | members)


@_makes("conversation")
async def conversation(actor: Actor, _: Ids) -> str:
    return str((await actor.made("/v1/conversations", json={}))["id"])


@_makes("item")
async def item(actor: Actor, ids: Ids) -> str:
    items = {"items": [{"role": "user", "content": "Hello"}]}
    added = await actor.made(f"/v1/conversations/{ids['conversation']}/items", json=items)
    return str(added["data"][0]["id"])


@_makes("file")
async def file(actor: Actor, ids: Ids) -> str:
    made = await lines(actor, CHAT)
    if "vector_store" in ids:
        await actor.made(f"/v1/vector_stores/{ids['vector_store']}/files", json={"file_id": made})
    return made


async def uploaded(actor: Actor, content: bytes, purpose: str) -> str:
    """The id of a file."""
    files = {"file": ("some.jsonl", content)}
    made = await actor.made("/v1/files", files=files, data={"purpose": purpose})
    return str(made["id"])


async def lines(actor: Actor, *bodies: Mapping[str, Any]) -> str:
    """The input file of a batch with these bodies."""
    content = "\n".join(json.dumps({**LINE, "body": body}) for body in bodies)
    return await uploaded(actor, content.encode(), "batch")


@_makes("call")
async def call(actor: Actor, _: Ids) -> str:
    """One that ends by itself, as nobody speaks in it."""
    answer = await actor.client.post(
        f"{actor.house.proxy_url}/v1/realtime/calls",
        headers={"authorization": f"Bearer {actor.tenant.key}"},
        files={"sdp": (None, b"v=0", "application/sdp"), "session": (None, b"{}", "application/json")},
    )
    assert answer.status_code == 201, answer.content
    return answer.headers["location"].rpartition("/")[2]


@_makes("upload")
async def upload(actor: Actor, _: Ids) -> str:
    described = {"filename": "a", "purpose": "user_data", "mime_type": "text/plain", "bytes": 3}
    return str((await actor.made("/v1/uploads", json=described))["id"])


@_makes("batch")
async def batch(actor: Actor, _: Ids) -> str:
    return str((await begun_batch(actor, await lines(actor, CHAT)))["id"])


async def begun_batch(actor: Actor, input_file: str) -> dict[str, Any]:
    asked = {"endpoint": "/v1/chat/completions", "completion_window": "24h", "input_file_id": input_file}
    return await actor.made("/v1/batches", json=asked)


@_makes("fine_tuning_job")
async def fine_tuning_job(actor: Actor, _: Ids) -> str:
    training = await uploaded(actor, b'{"messages": []}', "fine-tune")
    asked = {"model": MODEL, "training_file": training}
    return str((await actor.made("/v1/fine_tuning/jobs", json=asked))["id"])


@_makes("model")
async def model(actor: Actor, _: Ids) -> str:
    """One that a job made."""
    job = await fine_tuning_job(actor, {})
    done = await actor.call("GET", f"/v1/fine_tuning/jobs/{job}")
    return str(done.json["fine_tuned_model"])


@_makes("vector_store")
async def vector_store(actor: Actor, _: Ids) -> str:
    return str((await actor.made("/v1/vector_stores", json={}))["id"])


@_makes("file_batch")
async def file_batch(actor: Actor, ids: Ids) -> str:
    path = f"/v1/vector_stores/{ids['vector_store']}/file_batches"
    return str((await actor.made(path, json={"file_ids": [await file(actor, {})]}))["id"])


@_makes("container")
async def container(actor: Actor, _: Ids) -> str:
    return str((await actor.made("/v1/containers", json={"name": "c"}))["id"])


@_makes("container_file")
async def container_file(actor: Actor, ids: Ids) -> str:
    path = f"/v1/containers/{ids['container']}/files"
    return str((await actor.made(path, json={"file_id": await file(actor, {})}))["id"])


@_makes("assistant")
async def assistant(actor: Actor, _: Ids) -> str:
    return str((await actor.made("/v1/assistants", json={"model": MODEL, "tools": [FUNCTION]}))["id"])


@_makes("thread")
async def thread(actor: Actor, _: Ids) -> str:
    messages = {"messages": [{"role": "user", "content": "Hello"}]}
    return str((await actor.made("/v1/threads", json=messages))["id"])


@_makes("message")
async def message(actor: Actor, ids: Ids) -> str:
    said = {"role": "user", "content": "And?"}
    return str((await actor.made(f"/v1/threads/{ids['thread']}/messages", json=said))["id"])


@_makes("run")
async def run(actor: Actor, ids: Ids) -> str:
    asked = {"assistant_id": await assistant(actor, {})}
    return str((await actor.made(f"/v1/threads/{ids['thread']}/runs", json=asked))["id"])


@_makes("step")
async def step(actor: Actor, ids: Ids) -> str:
    steps = await actor.call("GET", f"/v1/threads/{ids['thread']}/runs/{ids['run']}/steps")
    return str(steps.json["data"][0]["id"])


@_makes("video")
async def video(actor: Actor, _: Ids) -> str:
    return str((await actor.made("/v1/videos", json={"model": "sora-2", "prompt": "A cat"}))["id"])


EVAL = {
    "data_source_config": {"type": "custom", "item_schema": {"type": "object"}},
    "testing_criteria": [
        {"type": "string_check", "name": "same", "input": "a", "operation": "eq", "reference": "a"}
    ],
}


@_makes("eval")
async def evaluation(actor: Actor, _: Ids) -> str:
    return str((await actor.made("/v1/evals", json=EVAL))["id"])


ROWS = {"type": "jsonl", "source": {"type": "file_content", "content": [{"item": {}}]}}


@_makes("eval_run")
async def eval_run(actor: Actor, ids: Ids) -> str:
    return str((await actor.made(f"/v1/evals/{ids['eval']}/runs", json={"data_source": ROWS}))["id"])


@_makes("output_item")
async def output_item(actor: Actor, ids: Ids) -> str:
    items = await actor.call("GET", f"/v1/evals/{ids['eval']}/runs/{ids['eval_run']}/output_items")
    return str(items.json["data"][0]["id"])


WITH_IDS = [endpoint for endpoint in CATALOGUE if kinds(endpoint)]
LISTS = [endpoint for endpoint in CATALOGUE if endpoint.method == "GET" and not kinds(endpoint)]
