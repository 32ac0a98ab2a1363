"""How many tokens an answer is, where the upstream reported no usage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.meter.messages import parallel_call
from proxy.meter.models import family_of
from proxy.meter.output import Output, TokenCounter
from proxy.meter.tools import forced_name, functions_of

_PER_CALL = 7
_PER_OLD_CALL = 4
_PARALLEL = 8


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
    """Tokens of an answer to `request`, or of the part that was delivered. Hidden reasoning can't be counted.

    Text counts as it is, one more where tools were offered or the endpoint is responses, three more from
    gpt-5. A call is its name, its arguments and what frames them; one that the request forced by name is its
    arguments only; several calls of one turn are one call of `multi_tool_use.parallel`.
    """
    tokens = output.count(counter)
    if not tokens:
        return 0
    turns = output.calls
    responses = 1 if "input" in request else 0
    model = request.get("model")
    family = family_of(model if isinstance(model, str) else "")
    newer = 3 if family.era == "gpt-5" else 0
    if not turns:
        tools = bool(functions_of(request)) and request.get("tool_choice") != "none"
        return tokens + newer + (1 if responses or tools else 0)
    forced = forced_name(request, responses=bool(responses)) is not None and not newer
    one = _PER_OLD_CALL if request.get("functions") else _PER_CALL
    return tokens + newer + sum(_framing(turn, counter, one, forced) + responses for turn in turns)


def _framing(calls: list[tuple[str, str]], counter: TokenCounter, one: int, forced: bool) -> int:
    """What one turn's calls cost beside their names and arguments."""
    own = sum(counter.count(name) + counter.count(arguments) for name, arguments in calls)
    if len(calls) > 1:
        return counter.count(parallel_call(calls)) + _PARALLEL - own
    return -counter.count(calls[0][0]) if forced else one


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
