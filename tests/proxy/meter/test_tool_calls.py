from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.meter.stream import BATCH, MAX_EVENT, StreamReading, StreamScanner
from proxy.meter.tool_calls import (
    calls_to_hold,
    count_calls,
    searches_of_chat,
    session_kind,
    tools_called,
    trace,
)
from tests.proxy.meter.reading import usage_of_body

USAGE = {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}
SEARCH = {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}}
FILES = {"type": "file_search_call", "status": "completed", "queries": ["q"]}


def code(container: str, status: str = "completed") -> dict[str, Any]:
    return {"type": "code_interpreter_call", "status": status, "container_id": container, "code": "1"}


def event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def read(stream: bytes) -> StreamReading:
    scanner = StreamScanner()
    scanner.feed(stream)
    return scanner.finish()


def test_completed_calls_of_the_providers_tools_are_counted() -> None:
    output = [
        SEARCH,
        SEARCH,
        FILES,
        {"type": "message", "content": []},
        {"type": "function_call", "name": "f"},
    ]
    assert tools_called({"output": output}) == {"web_search_call": 2, "file_search_call": 1}


@pytest.mark.parametrize("status", ["in_progress", "searching", "failed", "incomplete", None, 7])
def test_a_call_that_was_not_completed_is_not_counted(status: object) -> None:
    output = [{**SEARCH, "status": status}, {**FILES, "status": status}, {**code("c"), "status": status}]
    assert tools_called({"output": output}) == {}


@pytest.mark.parametrize("action", ["open_page", "find_in_page"])
def test_looking_at_a_page_is_no_search(action: str) -> None:
    assert tools_called({"output": [{**SEARCH, "action": {"type": action}}]}) == {}


def test_the_providers_own_count_of_searches_is_the_one_that_counts() -> None:
    assert tools_called({"output": [SEARCH] * 3, "tool_usage": {"web_search": {"num_requests": 1}}}) == {
        "web_search_call": 1
    }
    assert tools_called({"output": [SEARCH], "tool_usage": {"web_search": {"num_requests": 0}}}) == {}
    assert tools_called({"output": [SEARCH], "tool_usage": {"web_search": {"num_requests": "x"}}}) == {
        "web_search_call": 1
    }


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("gpt-4o", "web_search_preview_call"),
        ("gpt-4.1-mini", "web_search_preview_call"),
        ("gpt-5", "web_search_call"),
        ("o4-mini", "web_search_call"),
    ],
)
def test_the_earlier_search_has_a_price_of_its_own_where_the_model_does_not_reason(
    model: str, kind: str
) -> None:
    tools = [{"type": "web_search_preview_2025_03_11"}]
    assert tools_called({"output": [SEARCH], "tools": tools, "model": model}) == {kind: 1}
    assert tools_called({"output": [SEARCH], "tools": [{"type": "web_search"}], "model": model}) == {
        "web_search_call": 1
    }


def test_code_is_charged_by_container_not_by_call() -> None:
    output = [code("a"), code("a"), code("b"), code("c", "failed")]
    assert tools_called({"output": output}) == {"code_interpreter_session": 2}


def test_a_container_that_the_caller_made_before_is_not_charged_again() -> None:
    tools = [{"type": "code_interpreter", "container": "a"}]
    assert tools_called({"output": [code("a"), code("b")], "tools": tools}) == {"code_interpreter_session": 1}


def test_a_larger_container_is_a_kind_of_its_own() -> None:
    tools = [{"type": "code_interpreter", "container": {"type": "auto", "memory_limit": "4g"}}]
    assert tools_called({"output": [code("a")], "tools": tools}) == {"code_interpreter_session_4g": 1}
    assert session_kind({"memory_limit": "1g"}) == session_kind({}) == session_kind(None)


def test_the_image_tool_is_charged_by_its_own_tokens() -> None:
    image = {"type": "image_generation_call", "status": "completed", "quality": "low", "size": "1024x1024"}
    gen = {
        "input_tokens": 30,
        "input_tokens_details": {"image_tokens": 10, "text_tokens": 20},
        "output_tokens": 272,
    }
    assert tools_called({"output": [image], "tool_usage": {"image_gen": gen}}) == {
        "image_tool_text_token": 20,
        "image_tool_image_token": 10,
        "image_tool_output_token": 272,
    }
    assert tools_called({"output": [image]}) == {"image_tool_output_token": 272}
    assert tools_called({"output": [{**image, "quality": "auto"}]}) == {"image_tool_output_token": 4160}


def test_an_answer_of_any_size_reports_its_tools() -> None:
    answer = {"output": [FILES, {"type": "message", "content": "x" * 100_000}], "usage": USAGE}
    usage = usage_of_body(json.dumps(answer).encode())
    assert usage is not None
    assert (usage.total_tokens, usage.quantities) == (12, {"file_search_call": 1})


def test_the_end_of_a_stream_says_which_tools_were_called() -> None:
    reading = read(
        event("response.output_item.done", item=SEARCH)
        + event("response.completed", response={"output": [SEARCH, FILES], "usage": USAGE})
    )
    assert reading.usage is not None
    assert reading.usage.quantities == {"web_search_call": 1, "file_search_call": 1}


@pytest.mark.parametrize("filler", [0, 2 * BATCH])
def test_a_stream_that_was_cut_says_which_calls_had_been_completed(filler: int) -> None:
    reading = read(
        event("response.output_item.done", item=SEARCH)
        + event("response.output_item.done", item={**FILES, "status": "failed"})
        + event("response.output_text.delta", delta="x" * filler)
        + event("response.output_item.done", item=code("c"))
        + event("response.output_text.delta", delta="and")
    )
    assert reading.usage is None
    assert count_calls(reading.called, None, None) == {"web_search_call": 1, "code_interpreter_session": 1}


def test_an_image_larger_than_any_event_that_is_kept_is_charged_nevertheless() -> None:
    image = {"type": "image_generation_call", "status": "generating", "result": "A" * (MAX_EVENT + 5)}
    stream = event("response.output_item.done", item=image)
    cut = read(stream)
    assert count_calls(cut.called, None, None)["image_tool_output_token"] > 0
    ended = read(stream + event("response.completed", response={"output": [image], "usage": USAGE}))
    assert ended.usage is not None
    assert ended.usage.quantities["image_tool_output_token"] == 6240


def test_each_image_of_a_stream_is_charged() -> None:
    image = event("image_generation.completed", b64_json="AA", usage=USAGE)
    usage = read(image + image).usage
    assert usage is not None
    assert usage.total_tokens == 24


def test_a_model_that_searches_does_so_for_each_answer_of_a_chat() -> None:
    assert searches_of_chat({}, "gpt-4o-mini-search-preview") == {"web_search_preview_call": 1}
    assert searches_of_chat({}, "gpt-5-search-api") == {"web_search_call": 1}
    assert searches_of_chat({"web_search_options": {}}, "gpt-x") == {"web_search_call": 1}
    assert searches_of_chat({"web_search_options": None}, "gpt-4o") == {}


def test_tools_that_are_offered_are_held_for() -> None:
    offered = [{"type": "web_search_preview"}, {"type": "file_search"}, {"type": "function", "name": "f"}]
    assert calls_to_hold({"tools": offered}, "gpt-4o") == {
        "web_search_preview_call": 16,
        "file_search_call": 16,
    }
    assert calls_to_hold({"tools": offered, "max_tool_calls": 2}, "gpt-5") == {
        "web_search_call": 2,
        "file_search_call": 2,
    }
    making = [
        {"type": "code_interpreter", "container": {"type": "auto", "memory_limit": "4g"}},
        {"type": "image_generation"},
    ]
    assert calls_to_hold({"tools": making, "max_tool_calls": 3}, "gpt-5") == {
        "code_interpreter_session_4g": 1,
        "image_tool_output_token": 3 * 6240,
    }
    dated = [{"type": "web_search_2025_08_26"}]
    assert calls_to_hold({"tools": dated, "max_tool_calls": 40}, "gpt-5") == {"web_search_call": 40}
    assert calls_to_hold({"tools": None}, "gpt-5") == {}


_odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "status",
                    "action",
                    "container_id",
                    "container",
                    "tool_usage",
                    "web_search",
                    "memory_limit",
                ]
            ),
            inner | st.sampled_from(["web_search_call", "code_interpreter_call", "shell_call", "completed"]),
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(output=_odd, tools=_odd, model=_odd, usage=_odd)
def test_counting_never_raises(output: Any, tools: Any, model: Any, usage: Any) -> None:
    found = tools_called({"output": output, "tools": tools, "model": model, "tool_usage": usage})
    assert all(count > 0 for count in found.values())
    assert all(count > 0 for count in calls_to_hold({"tools": tools, "max_tool_calls": usage}, "m").values())
    assert trace(output) is None or isinstance(output, dict)


def test_recorded_answers_give_the_calls_that_they_show(corpus: list[dict[str, Any]]) -> None:
    """Their streams give the same by their single events as by their end."""
    kinds: Counter[str] = Counter()
    for row in corpus:
        body = row["response_body"] or ""
        if row["method"] != "POST" or "/responses" not in row["endpoint"] or row["usage"] is None:
            continue
        if row["stream"]:
            reading = read(body.encode())
            usage = reading.usage
            asked = json.loads(row["request_body"])
            seen = count_calls(reading.called, asked.get("tools"), row["model"])
            assert usage is not None
            assert seen == usage.quantities, row["id"]
        else:
            usage = usage_of_body(body.encode())
            assert usage is not None
        kinds.update(usage.quantities)
    assert kinds == {
        "web_search_call": 7,
        "web_search_preview_call": 2,
        "file_search_call": 5,
        "code_interpreter_session": 4,
        "image_tool_output_token": 272,
    }
