"""POST /v1/responses."""

from collections.abc import Iterator, Sequence
from secrets import token_hex
from typing import Any

import orjson

from simulators.openai.answers import (
    Answer,
    Call,
    Event,
    Route,
    Stream,
    Usage,
    Whole,
    obfuscation,
    pretty,
)
from simulators.openai.builtin_tools import STAGES, tool_items
from simulators.openai.completion import Completion, Wish, complete, digest
from simulators.openai.errors import ApiError, invalid_type
from simulators.openai.fields import Fields, JsonObject
from simulators.openai.prompt import responses_tokens
from simulators.openai.stored_responses import (
    begin_background,
    context_tokens,
    conversation_of,
    keep_response,
    stored_events,
)
from simulators.openai.tools import obliged_function

MIN_OUTPUT_TOKENS = 16


def _answer(call: Call) -> Answer:
    fields, switches = call.fields, call.switches
    given = fields.get("input")
    if not isinstance(given, str | list | None):
        raise invalid_type("input", "a string or an array of objects", given)
    if not any(fields.get(name) for name in ("input", "previous_response_id", "prompt", "conversation")):
        raise ApiError(
            400,
            "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be provided.",
            code="missing_required_parameter",
        )
    prompt = responses_tokens(call.vocabulary, fields) + context_tokens(call)
    seed = digest(call.seed, call.model, fields.get("instructions"), given)
    completion = complete(call.vocabulary, seed, _wish(call))
    used = tool_items(call)
    usage = Usage(
        prompt,
        completion.tokens,
        min(switches.cached, prompt),
        completion.reasoning_tokens,
        tool_calls=len(used),
    )
    response = _Response(call, completion, usage, used)
    padded = fields.flag("stream") and fields.wants_obfuscation()
    if fields.flag("background"):
        queued, ended = response.queued(), response.ended()
        if not fields.flag("stream"):
            begin_background(call, queued, ended, usage)
            return Whole(pretty(queued))
        finish = begin_background(call, queued, ended, usage, list(response.events(padded)))
        return Stream(stored_events(call, queued["id"], -1, finish), usage, _failure, books_itself=True)
    keep_response(call, response.ended(), usage)
    if fields.flag("stream"):
        return Stream(response.events(padded), usage, _failure)
    return Whole(pretty(response.ended()), usage)


def _wish(call: Call) -> Wish:
    fields = call.fields
    wanted = Fields(Fields(fields.object("text") or {}).object("format") or {})
    kind = wanted.one_of("type", ("text", "json_object", "json_schema"))
    fields.number("temperature", 0, 2)
    fields.number("top_p", 0, 1)
    return Wish(
        tokens=call.switches.tokens,
        cap=fields.integer("max_output_tokens", MIN_OUTPUT_TOKENS),
        reasoning=call.switches.reasoning,
        json=kind in ("json_object", "json_schema"),
        schema=wanted.require("schema") if kind == "json_schema" else None,
        function=obliged_function(fields),
    )


class _Response:
    """One response, as it stands at its beginning and at its end, and the events between."""

    def __init__(self, call: Call, completion: Completion, usage: Usage, used: Sequence[JsonObject]) -> None:
        self._call = call
        self._completion = completion
        self._usage = usage
        self._id = "resp_" + token_hex(25)
        self._sequence = 0
        function = completion.function
        self._item_id = ("fc_" if function else "msg_") + token_hex(25)
        self._item: JsonObject = {"id": self._item_id, "type": "message"}
        if function:
            named = {"call_id": "call_" + token_hex(12), "name": function.name}
            self._item = {"id": self._item_id, "type": "function_call", **named}
        self._before: list[JsonObject] = []  # the message
        if completion.reasoning_tokens:
            self._before = [{"id": "rs_" + token_hex(25), "type": "reasoning", "summary": []}]

        self._before += used

    def queued(self) -> JsonObject:
        return self._object("queued", [], None)

    def ended(self) -> JsonObject:
        status = "incomplete" if self._completion.cut_short else "completed"
        spent = self._completion.reasoning_tokens and not self._completion.pieces
        output = self._before + ([] if spent else [self._full_item()])
        return self._object(status, output, None if self._call.switches.no_usage else _usage(self._usage))

    def events(self, padded: bool) -> Iterator[Event]:
        begun = self._object("in_progress", [], None)
        yield self._event("response.created", {"response": begun})
        yield self._event("response.in_progress", {"response": begun})
        for index, item in enumerate(self._before):
            place = {"output_index": index}
            working = item | {"status": "in_progress"} if "status" in item else item
            yield self._event("response.output_item.added", {"item": working} | place)
            for stage in STAGES.get(item["type"], ()):
                yield self._event(f"response.{item['type']}.{stage}", place | {"item_id": item["id"]})
            yield self._event("response.output_item.done", {"item": item} | place)
        ended = self.ended()
        if len(ended["output"]) > len(self._before):
            yield from self._call_events(padded) if self._completion.function else self._text_events(padded)
        kind = f"response.{ended['status']}"
        yield self._event(kind, {"response": ended})

    def _text_events(self, padded: bool) -> Iterator[Event]:
        place = {"output_index": len(self._before)}
        within = {"content_index": 0, "item_id": self._item_id} | place
        opening = self._item | {"status": "in_progress", "content": [], "role": "assistant"}
        yield self._event("response.output_item.added", {"item": opening} | place)
        yield self._event("response.content_part.added", within | {"part": _part("")})
        for piece in self._completion.pieces:
            delta: JsonObject = within | {"delta": piece.text, "logprobs": []}
            if padded:
                delta["obfuscation"] = obfuscation(piece.text)
            yield self._event("response.output_text.delta", delta, piece.tokens)
        text = self._completion.text
        yield self._event("response.output_text.done", within | {"logprobs": [], "text": text})
        yield self._event("response.content_part.done", within | {"part": _part(text)})
        yield self._event("response.output_item.done", {"item": self._full_item()} | place)

    def _call_events(self, padded: bool) -> Iterator[Event]:
        place = {"output_index": len(self._before)}
        within: JsonObject = {"item_id": self._item_id} | place
        opening = self._item | {"arguments": "", "status": "in_progress"}
        tokens = self._completion.name_tokens
        yield self._event("response.output_item.added", {"item": opening} | place, tokens)
        for piece in self._completion.pieces:
            delta = within | {"delta": piece.text}
            if padded:
                delta["obfuscation"] = obfuscation(piece.text)
            yield self._event("response.function_call_arguments.delta", delta, piece.tokens)
        arguments = {"arguments": self._completion.text}
        yield self._event("response.function_call_arguments.done", within | arguments)
        yield self._event("response.output_item.done", {"item": self._full_item()} | place)

    def _event(self, kind: str, members: JsonObject, tokens: int = 0) -> Event:
        # After the type OpenAI has the members in the order of the alphabet.
        value = {"type": kind} | dict(sorted((members | {"sequence_number": self._sequence}).items()))
        self._sequence += 1
        return Event(_event_bytes(kind, value), tokens)

    def _full_item(self) -> JsonObject:
        status = "incomplete" if self._completion.cut_short else "completed"
        if self._completion.function:
            return self._item | {"arguments": self._completion.text, "status": status}
        return self._item | {
            "status": status,
            "content": [_part(self._completion.text)],
            "role": "assistant",
        }

    def _object(self, status: str, output: list[JsonObject], usage: JsonObject | None) -> JsonObject:
        fields, created = self._call.fields, self._call.created
        get = fields.members.get
        reason = {"reason": "max_output_tokens"} if status == "incomplete" else None
        body = {
            "id": self._id,
            "object": "response",
            "created_at": created,
            "status": status,
            "background": fields.flag("background"),
            "completed_at": created if status == "completed" else None,
            "error": None,
            "frequency_penalty": 0.0,
            "incomplete_details": reason,
            "instructions": get("instructions"),
            "max_output_tokens": get("max_output_tokens"),
            "max_tool_calls": get("max_tool_calls"),
            "model": self._call.model,
            "output": output,
            "parallel_tool_calls": get("parallel_tool_calls", True),
            "presence_penalty": 0.0,
            "previous_response_id": get("previous_response_id"),
            "prompt_cache_key": get("prompt_cache_key"),
            "prompt_cache_retention": None,
            "reasoning": {"effort": None, "summary": None} | (fields.object("reasoning") or {}),
            "safety_identifier": get("safety_identifier"),
            "service_tier": "auto"
            if status in ("queued", "in_progress")
            else self._call.switches.served_at(get("service_tier")),
            "conversation": conversation_of(fields),
            "store": get("store", True),
            "temperature": get("temperature", 1.0),
            "text": {"format": {"type": "text"}, "verbosity": "medium"} | (fields.object("text") or {}),
            "tool_choice": get("tool_choice", "auto"),
            "tools": get("tools", []),
            "top_logprobs": 0,
            "top_p": get("top_p", 1.0),
            "truncation": get("truncation", "disabled"),
            "usage": usage,
            "user": get("user"),
            "metadata": get("metadata", {}),
        }
        if usage is None and status not in ("queued", "in_progress"):
            del body["usage"]
        return body


def _unknown_model(model: str) -> ApiError:
    # This endpoint says it otherwise than the older ones.
    return ApiError(
        400, f"The requested model '{model}' does not exist.", param="model", code="model_not_found"
    )


def _part(text: str) -> JsonObject:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _usage(usage: Usage) -> JsonObject:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


def _failure(index: int, message: str) -> bytes:
    error = {"code": "server_error", "message": message, "param": None}
    return _event_bytes("error", {"type": "error"} | error | {"sequence_number": index})


def _event_bytes(kind: str, value: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(value) + b"\n\n"


ROUTES = (Route("POST", "/v1/responses", _answer, unknown_model=_unknown_model),)
