"""POST /v1/completions, the legacy endpoint: plain text to plain text."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from secrets import token_hex
from typing import Any

from simulators.openai.answers import (
    Answer,
    Call,
    Event,
    Route,
    Stream,
    Usage,
    Whole,
    data_event,
    plain_failure,
    pretty,
)
from simulators.openai.completion import Completion, Wish, complete, digest
from simulators.openai.errors import invalid_type
from simulators.openai.fields import Fields, JsonObject

DEFAULT_MAX_TOKENS = 16
_DONE = Event(b"data: [DONE]\n\n", 0)


def _answer(call: Call) -> Answer:
    fields, vocabulary, switches = call.fields, call.vocabulary, call.switches
    prompts = _prompts(fields)
    wish = Wish(
        tokens=switches.tokens,
        cap=fields.integer("max_tokens", 0) if fields.get("max_tokens") is not None else DEFAULT_MAX_TOKENS,
        stop=fields.stop(),
    )
    fields.number("temperature", 0, 2)
    choices = [
        complete(vocabulary, digest(call.seed, call.model, prompt, number), wish)
        for prompt in prompts
        for number in range(fields.integer("n", 1, 128) or 1)
    ]
    prompt_tokens = sum(vocabulary.count(p) if isinstance(p, str) else len(p) for p in prompts)
    usage = Usage(
        prompt_tokens, sum(choice.tokens for choice in choices), min(switches.cached, prompt_tokens)
    )
    common: JsonObject = {
        "id": "cmpl-" + token_hex(15)[:29],
        "object": "text_completion",
        "created": call.created,
    }
    if fields.flag("stream"):
        with_usage = fields.wants_usage() and not switches.no_usage
        return Stream(_events(common, call.model, choices, usage, with_usage), usage, plain_failure)
    fields.wants_usage()
    body = common | {
        "model": call.model,
        "choices": [_choice(index, item.text, _finish(item)) for index, item in enumerate(choices)],
    }
    if not switches.no_usage:
        body["usage"] = _usage(usage)
    return Whole(pretty(body), usage)


def _events(
    common: JsonObject, model: str, choices: Sequence[Completion], usage: Usage, with_usage: bool
) -> Iterator[Event]:
    pending: JsonObject = {"usage": None} if with_usage else {}

    def event(listed: list[JsonObject], tokens: int, members: JsonObject) -> Event:
        return Event(data_event(common | {"choices": listed, "model": model} | members), tokens)

    for row in zip_longest(*(choice.pieces for choice in choices)):
        for index, piece in enumerate(row):
            if piece is not None:
                yield event([_choice(index, piece.text, None)], piece.tokens, pending)
    for index, item in enumerate(choices):
        yield event([_choice(index, "", _finish(item))], 0, pending)
    if with_usage:
        yield event([], 0, {"usage": _usage(usage)})
    yield _DONE


def _choice(index: int, text: str, finish: str | None) -> JsonObject:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}


def _finish(choice: Completion) -> str:
    return "length" if choice.cut_short else "stop"


def _usage(usage: Usage) -> JsonObject:
    members: JsonObject = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
    }
    if usage.cached:
        members["prompt_tokens_details"] = {"cached_tokens": usage.cached}
    return members


def _prompts(fields: Fields) -> list[Any]:
    """Texts and token lists; a single one counts as a list of one, none as OpenAI's end-of-text."""
    value = fields.get("prompt")
    if value is None:
        return [[0]]
    if isinstance(value, str) or _is_tokens(value):
        return [value]
    usable = isinstance(value, list) and value
    if not usable or not all(isinstance(item, str) or _is_tokens(item) for item in value):
        raise invalid_type("prompt", "a string, an array of strings or of tokens", value)
    return list(value)


def _is_tokens(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(item) is int for item in value)


ROUTES = (Route("POST", "/v1/completions", _answer),)
