"""The text that one decoded stream event delivers. `obfuscation` is padding and never looked at."""

from __future__ import annotations

from typing import Any

from proxy.meter.output import Output

_TEXT_EVENTS = frozenset(
    {
        "response.output_text.delta",
        "response.refusal.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_text.delta",
        "response.code_interpreter_call_code.delta",
        "response.apply_patch_call_operation_diff.delta",
        "response.output_audio_transcript.delta",
        "response.audio.transcript.delta",
        "transcript.text.delta",
    }
)
_ARGUMENT_EVENTS = frozenset(
    {
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.mcp_call_arguments.delta",
    }
)
_CHAT_TEXT = ("content", "refusal", "reasoning_content", "reasoning")


def collect(event: Any, output: Output) -> None:
    """Add what `event` (a decoded `data`) delivers to `output`. Unknown events and odd members add
    nothing."""
    if not isinstance(event, dict):
        return
    choices = event.get("choices")
    if isinstance(choices, list):
        for choice in choices:
            if isinstance(choice, dict):
                _collect_choice(choice, output)
        return
    given = event.get("type")
    kind = given if isinstance(given, str) else ""
    if kind in _TEXT_EVENTS:
        channel = (kind, _place(event, "output_index"), _place(event, "content_index", "summary_index"))
        output.add_text(channel, event.get("delta"))
    elif kind in _ARGUMENT_EVENTS:
        output.add_arguments(_place(event, "output_index"), event.get("delta"))
    elif kind == "response.output_item.added":
        item = event.get("item")
        if isinstance(item, dict) and item.get("type") in ("function_call", "custom_tool_call", "mcp_call"):
            output.add_name(_place(event, "output_index"), item.get("name"))
    elif event.get("object") == "thread.message.delta":
        _collect_message_delta(event, output)


def _collect_choice(choice: dict[str, Any], output: Output) -> None:
    place = _place(choice, "index")
    output.add_text((place, "text"), choice.get("text"))
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return
    for member in _CHAT_TEXT:
        output.add_text((place, member), delta.get(member))
    audio = delta.get("audio")
    if isinstance(audio, dict):
        output.add_text((place, "audio"), audio.get("transcript"))
    calls = delta.get("tool_calls")
    if isinstance(calls, list):
        for call in calls:
            if isinstance(call, dict):
                _collect_call((place, _place(call, "index")), call, output)
    legacy = delta.get("function_call")
    if isinstance(legacy, dict):
        _collect_call((place, -1), {"function": legacy}, output)


def _collect_call(key: tuple[int, int], call: dict[str, Any], output: Output) -> None:
    for kind, written in (("function", "arguments"), ("custom", "input")):
        body = call.get(kind)
        if isinstance(body, dict):
            output.add_name(key, body.get("name"))
            output.add_arguments(key, body.get(written))


def _collect_message_delta(event: dict[str, Any], output: Output) -> None:
    delta = event.get("delta")
    parts = delta.get("content") if isinstance(delta, dict) else None
    for part in parts if isinstance(parts, list) else ():
        text = part.get("text") if isinstance(part, dict) else None
        if isinstance(text, dict):
            output.add_text((str(event.get("id")), _place(part, "index")), text.get("value"))


def _place(holder: dict[str, Any], *names: str) -> int:
    for name in names:
        value = holder.get(name)
        if isinstance(value, int):
            return value
    return 0
