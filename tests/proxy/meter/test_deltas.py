from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.meter.deltas import collect
from proxy.meter.output import Output


class Characters:
    def count(self, text: str) -> int:
        return len(text)


def _delivered(event: Any) -> int:
    output = Output()
    collect(event, output)
    return output.count(Characters())


def _chat(delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta}], "obfuscation": "padding"}


@pytest.mark.parametrize(
    ("event", "delivered"),
    [
        (_chat({"content": "abc"}), 3),
        (_chat({"refusal": "abc"}), 3),
        (_chat({"reasoning_content": "abc"}), 3),
        (_chat({"audio": {"transcript": "abc", "data": "AAAA"}}), 3),
        (_chat({"tool_calls": [{"index": 0, "function": {"name": "ab", "arguments": "{}"}}]}), 4),
        (_chat({"tool_calls": [{"index": 0, "custom": {"name": "ab", "input": "cd"}}]}), 4),
        (_chat({"function_call": {"name": "ab", "arguments": "{}"}}), 4),
        ({"object": "text_completion", "choices": [{"index": 0, "text": "abc"}]}, 3),
        ({"type": "response.output_text.delta", "delta": "abc", "obfuscation": "zz"}, 3),
        ({"type": "response.reasoning_summary_text.delta", "delta": "abc"}, 3),
        ({"type": "response.refusal.delta", "delta": "abc"}, 3),
        ({"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{}"}, 2),
        ({"type": "response.output_item.added", "item": {"type": "function_call", "name": "ab"}}, 2),
        (
            {"object": "thread.message.delta", "id": "m", "delta": {"content": [{"text": {"value": "abc"}}]}},
            3,
        ),
        # said before, or no text
        ({"type": "response.output_text.done", "text": "abc"}, 0),
        ({"type": "response.completed", "response": {"output": [{"content": [{"text": "abc"}]}]}}, 0),
        ({"type": "response.audio.delta", "delta": "AAAA"}, 0),
        ({"type": "response.output_item.added", "item": {"type": "message", "name": "ab"}}, 0),
        ({"type": {}, "choices": 3}, 0),
    ],
)
def test_each_kind_of_event(event: dict[str, Any], delivered: int) -> None:
    assert _delivered(event) == delivered


_odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "index", "tool_calls", "function", "item", "type", "object", "audio"]
            ),
            inner
            | st.sampled_from(
                ["response.output_text.delta", "thread.message.delta", "response.output_item.added"]
            ),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_odd)
def test_odd_events_are_tolerated(event: Any) -> None:
    assert _delivered(event) >= 0
