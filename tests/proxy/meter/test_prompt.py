from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.meter.prompt import Estimate, count_prompt
from proxy.meter.tokenizer import Tokenizers

CHAT = "/v1/chat/completions"
_HELLO = [{"role": "user", "content": "Hello there"}]


def _chat(tokenizers: Tokenizers, model: str = "gpt-4o", messages: Any = None, **request: Any) -> int:
    return count_prompt(CHAT, {"messages": messages or _HELLO, **request}, model, tokenizers).tokens


def test_a_message_is_its_role_its_text_and_three(tokenizers: Tokenizers) -> None:
    assert _chat(tokenizers) == 3 + 3 + 1 + 2
    assert _chat(tokenizers, "gpt-5") == 2 + 3 + 1 + 2
    assert _chat(tokenizers, "gpt-3.5-turbo-0301") == 3 + 4 + 1 + 2


def test_text_parts_are_joined_before_they_are_counted(tokenizers: Tokenizers) -> None:
    parts = [{"type": "text", "text": "Hello th"}, {"type": "text", "text": "ere"}]
    assert _chat(tokenizers, messages=[{"role": "user", "content": parts}]) == _chat(tokenizers)


def test_names_cost_by_age_of_the_model(tokenizers: Tokenizers) -> None:
    named = [{**_HELLO[0], "name": "bob"}]
    assert _chat(tokenizers, "gpt-4", named) - _chat(tokenizers, "gpt-4") == 2
    assert _chat(tokenizers, "gpt-4o", named) - _chat(tokenizers, "gpt-4o") == 2


def test_special_tokens_in_a_text_do_not_raise(tokenizers: Tokenizers) -> None:
    assert _chat(tokenizers, messages=[{"role": "user", "content": "<|endoftext|>"}]) > 8


def test_tools_and_formats_are_not_taken_for_certain(tokenizers: Tokenizers) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert count_prompt(CHAT, {"messages": _HELLO}, "gpt-4o", tokenizers).exact
    assert not count_prompt(CHAT, {"messages": _HELLO, "tools": tools}, "gpt-4o", tokenizers).exact
    assert not count_prompt(CHAT, {"messages": _HELLO}, "a-model-of-tomorrow", tokenizers).exact


@pytest.mark.parametrize(
    ("endpoint", "unknown"),
    [
        ("/v1/responses", {"input": "x", "previous_response_id": "resp_1"}),
        ("/v1/responses", {"input": "x", "conversation": "conv_1"}),
        ("/v1/responses", {"input": "x", "tools": [{"type": "web_search"}]}),
        ("/v1/responses", {"input": [{"type": "item_reference", "id": "rs_1"}]}),
        (CHAT, {"messages": _HELLO, "web_search_options": {}}),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]}),
    ],
)
def test_what_can_not_be_known_takes_the_context_window(
    endpoint: str, unknown: dict[str, Any], tokenizers: Tokenizers
) -> None:
    tokens, exact = count_prompt(endpoint, unknown, "gpt-4o", tokenizers)
    assert 128_000 <= tokens <= 128_020
    assert not exact


def test_from_gpt_5_on_a_function_without_parameters_is_one_token_less(tokenizers: Tokenizers) -> None:
    def costs(model: str, parameters: Any) -> int:
        tools = [{"type": "function", "function": {"name": "f", "parameters": parameters}}] * 2
        return _chat(tokenizers, model, tools=tools)

    for nothing in (None, {"type": "object", "properties": {}}):
        assert costs("gpt-5", nothing) - costs("gpt-4o", nothing) == 82 - 1 - 2
    something = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert costs("gpt-5", something) - costs("gpt-4o", something) == 82 - 1


def test_embeddings_are_texts_or_tokens(tokenizers: Tokenizers) -> None:
    def count(given: Any) -> Estimate:
        return count_prompt("/v1/embeddings", {"input": given}, "text-embedding-3-small", tokenizers)

    assert count("Hello there") == (2, True)
    assert count(["Hello there", "Hello"]) == (3, True)
    assert count([5, 6, 7]) == (3, True)
    assert count([[5, 6], [7]]) == (3, True)
    assert count(None) == count({}) == count([None]) == (0, True)


_NAMES = [
    *(
        "role",
        "content",
        "type",
        "text",
        "name",
        "tool_calls",
        "function",
        "arguments",
        "parameters",
        "properties",
    ),
    *(
        "items",
        "enum",
        "image_url",
        "url",
        "anyOf",
        "required",
        "description",
        "json_schema",
        "schema",
        "format",
    ),
    *("input_audio", "data", "file", "id", "tool_call_id", "refusal"),
]
_MEMBERS = [
    *(
        "messages",
        "tools",
        "functions",
        "tool_choice",
        "response_format",
        "text",
        "input",
        "instructions",
        "prompt",
    ),
    *("function_call", "web_search_options", "previous_response_id"),
]
_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
_items = st.dictionaries(st.sampled_from(["role", "type", "content", "output"]), _anything)
_requests = st.dictionaries(st.sampled_from(_MEMBERS), _anything | st.lists(_items, max_size=3), max_size=5)
_endpoints = st.sampled_from([CHAT, "/v1/responses", "/v1/completions", "/v1/embeddings"])


@given(_endpoints, _requests, st.sampled_from(["gpt-4o", "gpt-4", "gpt-5", "o4-mini", "x"]))
def test_odd_requests_are_counted(
    tokenizers: Tokenizers, endpoint: str, request: dict[str, Any], model: str
) -> None:
    assert count_prompt(endpoint, request, model, tokenizers).tokens >= 0


def test_a_recorded_prompt_that_counts_as_exact_is_hardly_ever_too_low(
    corpus: list[dict[str, Any]], tokenizers: Tokenizers
) -> None:
    low = []
    for row in corpus:
        usage = row["usage"]
        if usage is None or row["request_body_b64"] or row["method"] != "POST" or row["model"] is None:
            continue
        if not row["endpoint"].endswith(("completions", "responses", "embeddings")):
            continue
        request = json.loads(row["request_body"])
        estimate = count_prompt(row["endpoint"], request, row["model"], tokenizers)
        if estimate.exact and estimate.tokens < usage.get("prompt_tokens", usage.get("input_tokens")):
            low.append((row["id"], row["model"], estimate.tokens))
    assert len(low) <= 5, low
