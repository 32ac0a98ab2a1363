"""/v1/batches: each line of the input file is answered as its endpoint would, when the batch is done."""

from collections.abc import Callable
from dataclasses import replace

import orjson

from simulators.openai.account import Shelf, new_id, page
from simulators.openai.answers import Answer, Call, Route, Usage, Whole, pretty, total_usage
from simulators.openai.endpoints import chat, completions, embeddings, moderations, responses
from simulators.openai.errors import ApiError
from simulators.openai.fields import Fields, JsonObject, read_object
from simulators.openai.switches import known_model, read_switches
from simulators.openai.uploaded import files, new_file

LIFETIME = 86_400  # seconds
_UNFINISHED = ("validating", "in_progress", "finalizing")
_ANSWERS: dict[str, Callable[[Call], Answer]] = {
    route.path: route.answer
    for module in (chat, completions, embeddings, moderations, responses)
    for route in module.ROUTES
    if route.method == "POST"
}
_STAMPS = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")


def _create(call: Call) -> Answer:
    fields = call.fields
    for name in ("input_file_id", "completion_window"):
        fields.require(name)
    fields.require("endpoint")
    endpoint = fields.one_of("endpoint", _ANSWERS) or ""
    input_file = files(call.account).get(fields.text("input_file_id") or "")
    batch: JsonObject = {
        "id": new_id("batch_"),
        "object": "batch",
        "endpoint": endpoint,
        "errors": None,
        "input_file_id": input_file["id"],
        "completion_window": fields.text("completion_window"),
        "status": "validating",
        "output_file_id": None,
        "error_file_id": None,
        "created_at": call.created,
        "expires_at": call.created + LIFETIME,
        **{f"{stamp}_at": None for stamp in _STAMPS},
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "usage": _reported(Usage()),
        "metadata": fields.object("metadata"),
    }
    content = call.account.contents[input_file["id"]]
    call.account.after((call.seconds + call.finished_at()) / 2, lambda: _begin(call, batch))
    call.account.after(call.finished_at(), lambda: _finish(call, batch, content))
    return Whole(pretty(_batches(call).add(batch)))


def _begin(call: Call, batch: JsonObject) -> None:
    if batch["status"] == "validating":
        batch |= {"status": "in_progress", "in_progress_at": call.created}


def _finish(call: Call, batch: JsonObject, content: bytes | bytearray) -> None:
    if batch["status"] not in _UNFINISHED:
        return
    output, errors, served = bytearray(), bytearray(), list[Usage]()
    for line in bytes(content).splitlines():
        if not line.strip():
            continue
        result, usage = _result(call, batch["endpoint"], line)
        served.append(usage)
        chosen = output if result["response"]["status_code"] < 400 else errors
        chosen += orjson.dumps(result, option=orjson.OPT_APPEND_NEWLINE)
    usage, name, now = total_usage(served), batch["id"], int(call.finished_at())
    counted = {"completed": output.count(b"\n"), "failed": errors.count(b"\n"), "total": len(served)}
    if output:
        batch["output_file_id"] = new_file(call, f"{name}_output.jsonl", "batch_output", output)["id"]
    if errors:
        batch["error_file_id"] = new_file(call, f"{name}_error.jsonl", "batch_output", errors)["id"]
    batch |= {"status": "completed", "completed_at": now, "finalizing_at": now}
    batch |= {"request_counts": counted, "usage": _reported(usage)}
    call.serve(usage)


def _result(call: Call, endpoint: str, line: bytes) -> tuple[JsonObject, Usage]:
    identifier, usage = None, Usage()
    try:
        asked = Fields(read_object(line))
        identifier = asked.text("custom_id")
        members = asked.object("body") or {}
        model, suffix = known_model(str(members.get("model", "")))
        switches = read_switches(None, suffix)
        answer = _ANSWERS[endpoint](
            replace(call, fields=Fields(members | {"stream": False}), model=model, switches=switches)
        )
        assert isinstance(answer, Whole)
        status, body, usage = 200, orjson.loads(answer.body), answer.usage
    except ApiError as error:
        status, body = error.status, {"error": error.detail}
    response = {"status_code": status, "request_id": new_id("req_"), "body": body}
    return {"id": new_id("batch_req_"), "custom_id": identifier, "response": response, "error": None}, usage


def _reported(usage: Usage) -> JsonObject:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


def _listing(call: Call) -> Answer:
    return Whole(pretty(page(_batches(call).all(), call.query)))


def _one(call: Call) -> Answer:
    return Whole(pretty(_batches(call).get(call.parameters["id"])))


def _cancel(call: Call) -> Answer:
    batch = _batches(call).get(call.parameters["id"])
    if batch["status"] not in _UNFINISHED:
        raise ApiError(409, f"Cannot cancel a batch with status '{batch['status']}'.")
    batch |= {"status": "cancelling", "cancelling_at": call.created}

    def cancelled() -> None:
        batch.update(status="cancelled", cancelled_at=call.created)

    body = pretty(batch)
    call.account.after(call.finished_at(), cancelled)
    return Whole(body)


def _batches(call: Call) -> Shelf:
    return call.account.shelf("batch")


ROUTES = (
    Route("POST", "/v1/batches", _create, needs_model=False),
    Route("GET", "/v1/batches", _listing, needs_model=False),
    Route("GET", "/v1/batches/{id}", _one, needs_model=False),
    Route("POST", "/v1/batches/{id}/cancel", _cancel, needs_model=False),
)
