"""How many tokens an answer is, where the upstream reported no usage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.meter.output import Output, TokenCounter
from proxy.meter.tools import functions_of

_PER_CALL = 7


def output_of(answer: Any) -> Output:
    """The texts and calls of a decoded answer: chat (`choices[].message`), completions (`choices[].text`),
    responses (`output[]`). Odd members add nothing."""
    output = Output()
    if not isinstance(answer, Mapping):
        return output
    for place, choice in enumerate(_dicts(answer.get("choices"))):
        output.add_text((place, "text"), choice.get("text"))
        message = choice.get("message")
        if isinstance(message, Mapping):
            _add_message(place, message, output)
    for place, item in enumerate(_dicts(answer.get("output"))):
        _add_item(place, item, output)
    return output


def count_completion(output: Output, request: Mapping[str, Any], counter: TokenCounter) -> int:
    """Tokens of what an answer to `request`, or the delivered part of one, holds. Hidden reasoning can't be
    counted.

    Text counts as it is, one more where tools were offered or the endpoint is responses; a call is its name,
    its arguments and seven more; one that the request forced by name is its arguments only.
    """
    if isinstance(request.get("tool_choice", request.get("function_call")), Mapping):
        return output.count(counter, names=False)
    tokens = output.count(counter, per_call=_PER_CALL)
    if tokens and not output.calls and ("input" in request or functions_of(request)):
        tokens += 1
    return tokens


def _add_message(place: int, message: Mapping[str, Any], output: Output) -> None:
    for member in ("content", "refusal", "reasoning_content"):
        output.add_text((place, member), message.get(member))
    audio = message.get("audio")
    if isinstance(audio, Mapping):
        output.add_text((place, "audio"), audio.get("transcript"))
    calls = _dicts(message.get("tool_calls"))
    legacy = message.get("function_call")
    if isinstance(legacy, Mapping):
        calls = [*calls, {"function": legacy}]
    for number, call in enumerate(calls):
        for kind, written in (("function", "arguments"), ("custom", "input")):
            body = call.get(kind)
            if isinstance(body, Mapping):
                output.add_name((place, number), body.get("name"))
                output.add_arguments((place, number), body.get(written))


def _add_item(place: int, item: Mapping[str, Any], output: Output) -> None:
    kind = item.get("type")
    if kind in ("message", "reasoning"):
        parts = [*_dicts(item.get("content")), *_dicts(item.get("summary"))]
        for number, part in enumerate(parts):
            output.add_text((place, number), part.get("text"))
            output.add_text((place, number, "refusal"), part.get("refusal"))
    elif kind in ("function_call", "custom_tool_call", "mcp_call"):
        output.add_name(place, item.get("name"))
        output.add_arguments(place, item.get("arguments", item.get("input")))


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
