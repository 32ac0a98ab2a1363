"""/v1/responses/{id}: get (also as a stream), delete, cancel, input items; and input_tokens, compact."""

from secrets import token_hex

from simulators.openai.account import new_id, page
from simulators.openai.answers import Answer, Call, Route, Stream, Usage, Whole, plain_failure, pretty
from simulators.openai.errors import ApiError, invalid_value
from simulators.openai.prompt import responses_tokens
from simulators.openai.stored_responses import (
    UNFINISHED,
    context_tokens,
    input_items,
    responses,
    stored_events,
)


def _one(call: Call) -> Answer:
    response = responses(call.account).get(call.parameters["id"])
    if call.query.get("stream") != "true":
        return Whole(pretty(response))
    after = call.query.get("starting_after", "-1")
    if not after.removeprefix("-").isdigit():
        raise invalid_value("starting_after", "expected an integer.")
    if call.account.notes[response["id"]].get("events") is None:
        raise ApiError(400, "This response was not created with stream=true.", param="stream")
    events = stored_events(call, response["id"], int(after))
    return Stream(events, Usage(), plain_failure, books_itself=True)


def _delete(call: Call) -> Answer:
    return Whole(pretty(responses(call.account).remove(call.parameters["id"], "response")))


def _cancel(call: Call) -> Answer:
    response = responses(call.account).get(call.parameters["id"])
    if not response["background"]:
        raise ApiError(400, "Cannot cancel a synchronous response.")
    if response["status"] in UNFINISHED:
        response["status"] = "cancelled"
    return Whole(pretty(response))


def _input_items(call: Call) -> Answer:
    response = responses(call.account).get(call.parameters["id"])
    return Whole(pretty(page(call.account.notes[response["id"]]["input"], call.query)))


def _input_tokens(call: Call) -> Answer:
    tokens = responses_tokens(call.vocabulary, call.fields) + context_tokens(call)
    return Whole(pretty({"object": "response.input_tokens", "input_tokens": tokens}))


def _compact(call: Call) -> Answer:
    prompt = responses_tokens(call.vocabulary, call.fields) + context_tokens(call)
    usage = Usage(prompt, 50 if call.switches.tokens is None else call.switches.tokens)
    kept = [item for item in input_items(call) if item.get("role") == "user"]
    # What stands in it is the provider's own and for nobody to read.
    summary = {"id": new_id("cmp_"), "type": "compaction", "encrypted_content": "gAAAAA" + token_hex(100)}
    body = {
        "id": "resp_" + token_hex(25),
        "object": "response.compaction",
        "created_at": call.created,
        "output": [*kept, summary],
        "usage": {
            "input_tokens": usage.prompt,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": usage.completion,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage.total,
        },
    }
    return Whole(pretty(body), usage)


ROUTES = (
    Route("GET", "/v1/responses/{id}", _one, needs_model=False),
    Route("DELETE", "/v1/responses/{id}", _delete, needs_model=False),
    Route("POST", "/v1/responses/{id}/cancel", _cancel, needs_model=False),
    Route("GET", "/v1/responses/{id}/input_items", _input_items, needs_model=False),
    Route("POST", "/v1/responses/input_tokens", _input_tokens, default_model="gpt-4o-mini"),
    Route("POST", "/v1/responses/compact", _compact),
)
