from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.usage import Usage
from proxy.meter.answer import Answer, JsonAnswer, StreamedAnswer
from proxy.meter.duration import Length
from proxy.meter.image_answers import images
from proxy.meter.metering import Meter, Metered, Request
from proxy.meter.meters import chat, container, free, responses, text
from proxy.meter.speech import speech
from proxy.meter.transcription import transcription

USAGE = {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}
CHAT_USAGE = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}


class Words:
    def count(self, text: str) -> int:
        return len(text.split())


def body(answer: Any) -> Answer:
    made = JsonAnswer()
    made.feed(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
    return made


def stream(*events: dict[str, Any]) -> Answer:
    made = StreamedAnswer()
    for event in events:
        made.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    return made


def test_moderations_and_looks_cost_nothing() -> None:
    assert free(Request("omni-moderation-latest", {}), body({"usage": USAGE}), Words()) == Metered(
        Usage(), "provider"
    )


def test_what_the_provider_reports_goes_before_any_count() -> None:
    answer = body({"choices": [{"text": "one two three"}], "usage": CHAT_USAGE})
    assert text(Request("m", {}, 99), answer, Words()) == Metered(Usage(10, output_tokens=2), "provider")


def test_what_is_not_reported_is_counted() -> None:
    metered = text(Request("m", {}, 99), body({"choices": [{"text": "one two three"}]}), Words())
    assert metered == Metered(Usage(99, output_tokens=3), "tokenizer")


def test_an_answer_that_was_cut_off_never_counts_more_than_it_can_have_had() -> None:
    metered = text(
        Request("m", {}, 9, most_output=2), body(b'{"choices": [{"text": "one two three four'), Words()
    )
    assert metered == Metered(Usage(9, output_tokens=2), "tokenizer")


def test_a_chat_that_searches_pays_for_its_search() -> None:
    metered = chat(Request("gpt-4o-search-preview", {}), body({"usage": CHAT_USAGE}), Words())
    assert metered.usage.quantities == {"web_search_preview_call": 1}
    assert chat(Request("gpt-4o", {}), body({"usage": CHAT_USAGE}), Words()).usage.quantities == {}


def test_a_chat_that_answered_nothing_has_not_searched() -> None:
    metered = chat(Request("gpt-5-search-api", {}, 9), body({"choices": []}), Words())
    assert metered == Metered(Usage(9), "tokenizer")


def test_a_response_that_was_cut_pays_for_the_tools_it_had_called() -> None:
    search = {"type": "web_search_call", "status": "completed", "action": {"type": "search"}}
    answer = stream(
        {"type": "response.output_item.done", "item": search},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "one two"},
    )
    asked = Request("gpt-4o", {"input": "x", "tools": [{"type": "web_search_preview"}]}, 7)
    metered = responses(asked, answer, Words())
    assert (metered.usage.input_tokens, metered.source) == (7, "tokenizer")
    assert metered.usage.output_tokens >= 2
    assert metered.usage.quantities == {"web_search_preview_call": 1}


def test_a_container_is_paid_for_when_it_is_made() -> None:
    made = container(Request("", {"name": "n", "memory_limit": "16g"}), body({"id": "cntr_1"}), Words())
    assert made == Metered(Usage(quantities={"code_interpreter_session_16g": 1}), "provider")


ALL: list[Meter] = [free, text, chat, responses, container, images, speech, transcription]
_odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "usage",
                    "output",
                    "data",
                    "choices",
                    "message",
                    "text",
                    "duration",
                    "seconds",
                    "n",
                    "size",
                    "quality",
                    "input",
                    "instructions",
                    "prompt",
                    "tools",
                    "response",
                    "status",
                    "memory_limit",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("meter", ALL)
@given(
    fields=st.dictionaries(
        st.sampled_from(["n", "size", "quality", "input", "tools", "prompt", "memory_limit"]), _odd
    ),
    answer=_odd | st.binary(max_size=40),
    model=st.sampled_from(["", "gpt-4o", "dall-e-2", "dall-e-3", "gpt-image-1", "tts-1", "whisper-1"]),
)
def test_no_meter_ever_raises(meter: Meter, fields: dict[str, Any], answer: Any, model: str) -> None:
    request = Request(model, fields, 5, audio=Length(2.5, known=False))
    for made in (body(answer), stream(answer) if isinstance(answer, dict) else stream()):
        assert made.ends in (True, False)
        metered = meter(request, made, Words())
        assert metered.usage.total_tokens >= 0
        assert all(count > 0 for count in metered.usage.quantities.values())
