from __future__ import annotations

from typing import Any

from proxy.meter.messages import Conversation
from proxy.meter.models import family_of
from proxy.meter.responses_input import add_responses


def _conversation(**request: Any) -> Conversation:
    conversation = Conversation(family_of("gpt-4o"))
    add_responses(conversation, request)
    return conversation


def _turns(**request: Any) -> list[tuple[str, str]]:
    return [(turn.header, turn.text) for turn in _conversation(**request).turns]


def test_instructions_are_a_system_message_before_the_input() -> None:
    assert _turns(instructions="be brief", input="hi") == [("system", "be brief"), ("user", "hi")]
    assert _turns(instructions="", input=[{"role": "user", "content": "hi"}]) == [("user", "hi")]


def test_calls_and_results_are_turns() -> None:
    items = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "x"},
    ]
    assert _turns(input=items) == [("user", "hi"), ("assistant to=functions.f", "{}"), ("functions.f", "x")]


def test_hidden_reasoning_takes_no_more_than_was_encrypted() -> None:
    conversation = _conversation(input=[{"type": "reasoning", "encrypted_content": "A" * 400}])
    assert (conversation.unknown, conversation.exact) == (300, False)
    assert _conversation(input=[{"type": "reasoning", "id": "rs"}]).unknown == 16_384


def test_what_the_upstream_remembers_takes_the_context_window() -> None:
    for name in ("previous_response_id", "conversation", "prompt"):
        assert _conversation(input="x", **{name: "id"}).unknown == 128_000
    assert _conversation(input="x", previous_response_id=None).unknown == 0


def test_odd_items_are_left_out() -> None:
    assert _turns(input=None) == _turns(input=3) == _turns(input=[None, "x"]) == []
    assert _conversation(input=[{"type": {}}]).unknown == 128_000
