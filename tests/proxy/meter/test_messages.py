from __future__ import annotations

from typing import Any

from proxy.meter.messages import Conversation, add_chat, parallel_call
from proxy.meter.models import family_of


def _conversation(messages: Any, model: str = "gpt-4o") -> Conversation:
    conversation = Conversation(family_of(model))
    add_chat(conversation, messages)
    return conversation


def _turns(messages: Any, model: str = "gpt-4o") -> list[tuple[str, str, int]]:
    return [(turn.header, turn.text, turn.extra) for turn in _conversation(messages, model).turns]


def _call(name: str, arguments: str, ident: str = "c") -> dict[str, Any]:
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_a_call_and_its_result_name_the_function() -> None:
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [_call("f", '{ "a": 1 }')]},
        {"role": "tool", "tool_call_id": "c", "content": "done"},
    ]
    assert _turns(messages) == [("assistant to=functions.f", '{"a":1}', 2), ("functions.f", "done", 0)]
    assert _turns(messages, "gpt-4")[0][2] == 1
    assert _turns(messages, "gpt-5")[0][2] == 8


def test_text_beside_a_call_is_a_turn_of_its_own() -> None:
    messages = [{"role": "assistant", "content": "wait", "tool_calls": [_call("f", "not json")]}]
    assert _turns(messages) == [("assistant", "wait", 0), ("assistant to=functions.f", "not json", 2)]


def test_parallel_calls_are_one_call_and_not_certain() -> None:
    conversation = _conversation(
        [{"role": "assistant", "tool_calls": [_call("f", "{}"), _call("g", "{}", "d")]}]
    )
    assert [turn.header for turn in conversation.turns] == ["assistant to=multi_tool_use.parallel"]
    assert conversation.turns[0].text == parallel_call([("f", "{}"), ("g", "{}")])
    assert not conversation.exact


def test_old_function_calls_are_read() -> None:
    messages = [
        {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "x"},
    ]
    assert _turns(messages) == [("assistant to=functions.f", "{}", 2), ("functions.f", "x", 0)]


def test_parts_are_texts_images_and_what_can_not_be_known() -> None:
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "https://example.com/x.png", "detail": "low"}},
        {"type": "text", "text": "b"},
    ]
    assert _turns([{"role": "user", "content": parts}]) == [("user", "ab", 85)]
    remote = _conversation(
        [{"role": "user", "content": [{"type": "image_url", "image_url": "https://example.com"}]}]
    )
    assert (remote.turns[0].extra, remote.exact) == (85 + 8 * 170, False)
    audio = _conversation(
        [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "A" * 4000}}]}]
    )
    assert (audio.turns[0].extra, audio.exact) == (40, False)
    file = _conversation([{"role": "user", "content": [{"type": "file"}]}])
    assert (file.unknown, file.exact) == (128_000, False)


def test_a_refusal_of_the_past_is_text() -> None:
    assert _turns([{"role": "assistant", "content": None, "refusal": "no"}]) == [("assistant", "no", 0)]


def test_odd_messages_are_left_out() -> None:
    assert _turns(None) == _turns("x") == _turns([None, 3, "x"]) == []
