"""POST /v1/chat/completions."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
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
    plain_failure,
    pretty,
)
from simulators.openai.completion import Completion, Wish, complete, digest
from simulators.openai.errors import invalid_type, invalid_value
from simulators.openai.fields import Fields, JsonObject
from simulators.openai.prompt import chat_tokens
from simulators.openai.stored_chats import keep_chat
from simulators.openai.tools import obliged_function
from simulators.openai.vocabulary import Piece

FINGERPRINT = "fp_51a01a7ed0"
_DONE = Event(b"data: [DONE]\n\n", 0)


def _answer(call: Call) -> Answer:
    fields, switches = call.fields, call.switches
    fields.require("messages")
    if not fields.array("messages"):
        raise invalid_value("messages", "empty array. Expected at least one message.", "empty_array")
    fields.number("temperature", 0, 2)
    fields.number("top_p", 0, 1)
    wish = _wish(call)
    prompt = chat_tokens(call.vocabulary, fields)
    choices = [
        complete(call.vocabulary, digest(call.seed, call.model, fields.get("messages"), number), wish)
        for number in range(fields.integer("n", 1, 128) or 1)
    ]
    completion = sum(choice.tokens for choice in choices)
    usage = Usage(
        prompt,
        completion,
        min(switches.cached, prompt),
        sum(choice.reasoning_tokens for choice in choices),
        sound=min(switches.sound, completion),
    )
    streamed, usage_wanted = fields.flag("stream"), fields.wants_usage()
    common: JsonObject = {
        "id": "chatcmpl-" + token_hex(15)[:29],
        "object": "chat.completion.chunk" if streamed else "chat.completion",
        "created": call.created,
        "model": call.model,
        "service_tier": switches.served_at(fields.get("service_tier")),
    }
    if streamed:
        chunks = _Chunks(common, usage_wanted and not switches.no_usage, fields.wants_obfuscation())
        if fields.flag("store"):
            keep_chat(call, _body(common, choices, usage))
        return Stream(chunks.events(choices, usage), usage, plain_failure)
    body = _body(common, choices, None if switches.no_usage else usage)
    if fields.flag("store"):
        keep_chat(call, body)
    return Whole(pretty(body), usage)


def _body(common: JsonObject, choices: Sequence[Completion], usage: Usage | None) -> JsonObject:
    body = common | {"object": "chat.completion"}
    tier = body.pop("service_tier")
    body["choices"] = [_choice(index, item) for index, item in enumerate(choices)]
    if usage is not None:
        body["usage"] = _usage(usage)
    return body | {"service_tier": tier, "system_fingerprint": FINGERPRINT}


def _wish(call: Call) -> Wish:
    fields = call.fields
    is_json, schema = _format(fields)
    newer, older = fields.integer("max_completion_tokens", 1), fields.integer("max_tokens", 1)
    return Wish(
        tokens=call.switches.tokens,
        cap=older if newer is None else newer,
        reasoning=call.switches.reasoning,
        stop=fields.stop(),
        json=is_json,
        schema=schema,
        function=obliged_function(fields),
    )


def _format(fields: Fields) -> tuple[bool, Any]:
    """Whether JSON is wanted, and by which schema."""
    wanted = Fields(fields.object("response_format") or {})
    kind = wanted.one_of("type", ("text", "json_object", "json_schema"))
    if kind != "json_schema":
        return kind == "json_object", None
    described = wanted.require("json_schema")
    if not isinstance(described, dict):
        raise invalid_type("response_format.json_schema", "an object", described)
    return True, described.get("schema") or {"type": "object"}


def _choice(index: int, completion: Completion) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": completion.text}
    if completion.function:
        function = {"name": completion.function.name, "arguments": completion.text}
        message["content"] = None
        message["tool_calls"] = [{"id": _call_id(), "type": "function", "function": function}]
    return {
        "index": index,
        "message": message | {"refusal": None, "annotations": []},
        "logprobs": None,
        "finish_reason": _finish(completion),
    }


def _finish(completion: Completion) -> str:
    if completion.cut_short:
        return "length"
    # A call forced by its name ends with `stop`.
    return "tool_calls" if completion.function and not completion.function.forced else "stop"


def _call_id() -> str:
    return "call_" + token_hex(12)


def _usage(usage: Usage) -> JsonObject:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": usage.sound,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


class _Chunks:
    """The events of a stream. What all share is written once: a chunk costs one small JSON text."""

    def __init__(self, common: JsonObject, with_usage: bool, padded: bool) -> None:
        shared = common | {"system_fingerprint": FINGERPRINT}
        self._head = b"data: " + orjson.dumps(shared)[:-1] + b',"choices":['
        self._with_usage = with_usage
        self._padded = padded

    def events(self, choices: Sequence[Completion], usage: Usage) -> Iterator[Event]:
        for index, completion in enumerate(choices):
            yield self._chunk(index, self._opening(completion), completion.name_tokens)
        for row in zip_longest(*(completion.pieces for completion in choices)):
            for index, piece in enumerate(row):
                if piece is not None:
                    is_call = choices[index].function is not None
                    yield self._chunk(index, self._delta(piece, is_call), piece.tokens, piece.text)
        for index, completion in enumerate(choices):
            yield self._chunk(index, {}, 0, finish=_finish(completion))
        if self._with_usage:
            yield Event(self._head + self._tail(orjson.dumps(_usage(usage)), ""), 0)
        yield _DONE

    def _opening(self, completion: Completion) -> JsonObject:
        if completion.function is None:
            return {"role": "assistant", "content": "", "refusal": None}
        function = {"name": completion.function.name, "arguments": ""}
        call = {"index": 0, "id": _call_id(), "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None}

    def _delta(self, piece: Piece, is_call: bool) -> JsonObject:
        if is_call:
            return {"tool_calls": [{"index": 0, "function": {"arguments": piece.text}}]}
        return {"content": piece.text}

    def _chunk(
        self, index: int, delta: JsonObject, tokens: int, text: str = "", finish: str | None = None
    ) -> Event:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return Event(self._head + orjson.dumps(choice) + self._tail(b"null", text), tokens)

    def _tail(self, usage: bytes, text: str) -> bytes:
        tail = b"]"
        if self._with_usage:
            tail += b',"usage":' + usage
        if self._padded:
            tail += b',"obfuscation":"' + obfuscation(text).encode() + b'"'
        return tail + b"}\n\n"


ROUTES = (Route("POST", "/v1/chat/completions", _answer),)
