"""The input of a responses request as the conversation it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.meter.messages import Conversation

_CALLS = ("function_call", "custom_tool_call")
_RESULTS = ("function_call_output", "custom_tool_call_output")
_REMEMBERED = ("previous_response_id", "conversation", "prompt")


def add_responses(conversation: Conversation, request: Mapping[str, Any]) -> None:
    """`instructions` as one system message, then `input`. What the upstream remembers takes the whole
    context window."""
    instructions = request.get("instructions")
    if isinstance(instructions, str) and instructions:
        conversation.add_message("system", instructions)
    given = request.get("input")
    if isinstance(given, str):
        conversation.add_message("user", given)
    elif isinstance(given, list):
        _add_items(conversation, given)
    if any(request.get(name) for name in _REMEMBERED):
        conversation.add_unknown(conversation.family.context)


def _reasoning_bound(item: Mapping[str, Any], conversation: Conversation) -> int:
    """No more tokens than bytes were encrypted; what the upstream keeps is no more than one answer can be."""
    encrypted = item.get("encrypted_content")
    return len(encrypted) * 3 // 4 if isinstance(encrypted, str) else conversation.family.max_output


def _add_items(conversation: Conversation, items: list[Any]) -> None:
    pending: list[tuple[Any, Any, Any]] = []
    for item in items:
        if not isinstance(item, Mapping):
            continue
        kind = item.get("type", "message")
        if kind in _CALLS:
            pending.append((item.get("call_id"), item.get("name"), item.get("arguments", item.get("input"))))
            continue
        if kind == "reasoning":
            conversation.add_unknown(_reasoning_bound(item, conversation))
            continue
        conversation.add_calls(pending)
        pending = []
        if kind == "message":
            role = item.get("role")
            conversation.add_message(role if isinstance(role, str) else "", item.get("content"))
        elif kind in _RESULTS:
            conversation.add_result(item.get("call_id"), item.get("output"))
        else:
            conversation.add_unknown(conversation.family.context)
    conversation.add_calls(pending)
