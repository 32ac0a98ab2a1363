"""Ids in requests and answers are found wherever they stand, and nothing else is taken for one."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.ownership.mentions import REFERENCES, brought, mentioned, mentioned_in_form


def of(request: dict[str, Any]) -> set[str]:
    return mentioned(json.dumps(request).encode(), request)


@pytest.mark.parametrize(
    ("request_", "ids"),
    [
        ({"previous_response_id": "resp_1"}, {"resp_1"}),
        ({"conversation": "conv_1"}, {"conv_1"}),
        ({"conversation": {"id": "conv_1"}}, {"conv_1"}),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, {"msg_1"}),
        ({"input": [{"id": "msg_1"}]}, {"msg_1"}),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]}, {"file-1"}),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]},
            {"file-1"},
        ),
        ({"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}, {"audio_1"}),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["vs_1", "vs_2"]}]}, {"vs_1", "vs_2"}),
        ({"tools": [{"type": "code_interpreter", "container": "cntr_1"}]}, {"cntr_1"}),
        (
            {"tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-1"]}}]},
            {"file-1"},
        ),
        ({"input": [{"type": "item_reference", "id": "msg_1", "status": "x"}]}, {"msg_1"}),
        ({"input": [{"type": "reasoning", "id": "rs_1", "summary": [{"text": "x"}]}]}, {"rs_1"}),
        ({"input": [{"type": "image_generation_call", "id": "ig_1", "result": None}]}, {"ig_1"}),
        ({"items": [{"type": "compaction", "id": "cmp_1", "encrypted_content": ""}]}, {"cmp_1"}),
        ({"data_source": {"source": {"type": "file_id", "id": "file-1"}}}, {"file-1"}),
        ({"model": "FT:gpt-4o:x::1"}, {"FT:gpt-4o:x::1"}),
        ({"data_source": {"model": "ft:gpt-4o:x::1"}}, {"ft:gpt-4o:x::1"}),
        ({"prompt_cache_options": {"comparison_response_id": "resp_1"}}, {"resp_1"}),
        (
            {"prompt": {"id": "pmpt_1", "variables": {"it": {"type": "input_file", "file_id": "file-1"}}}},
            {"file-1"},
        ),
        ({"Previous_Response_ID": "resp_1"}, {"resp_1"}),
        ({"tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}}}, {"vs_1"}),
    ],
)
def test_a_reference_is_found(request_: dict[str, Any], ids: set[str]) -> None:
    assert of(request_) == ids


@pytest.mark.parametrize(
    "request_",
    [
        {"metadata": {"file_id": "mine", "conversation": "x"}},
        {"prompt": {"id": "pmpt_1", "variables": {"file_id": "x"}}},
        {"prompt": [[1, 2]], "conversation": None},
        {"input": [{"type": "reasoning", "id": "rs_1", "encrypted_content": "x"}]},
        {"input": [{"type": "reasoning", "id": "rs_1", "content": [{"text": "x"}]}]},
        {"input": [{"type": "image_generation_call", "id": "ig_1", "result": "x"}]},
        {"tools": [{"type": "function", "parameters": {"properties": {"file_id": {"id": "x"}}}}]},
        {"text": {"format": {"schema": {"properties": {"conversation_id": "x"}}}}},
        {"input": [{"role": "user", "id": "msg_1", "content": "the file_id is file-1"}]},
        {"input": "my previous_response_id is resp_1"},
        {"audio": {"voice": "alloy", "format": "wav"}, "modalities": ["audio"]},
        {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
    ],
)
def test_what_only_looks_like_a_reference_is_none(request_: dict[str, Any]) -> None:
    assert of(request_) == set()


def test_a_reference_cannot_be_hidden_by_escapes() -> None:
    body = b'{"previous\\u005fresponse\\u005fid":"resp_1","input":[{"\\u0069d":"msg_1"}]}'
    assert mentioned(body, orjson.loads(body)) == {"resp_1", "msg_1"}


@pytest.mark.parametrize(
    ("fields", "ids"),
    [
        ({"file_id": "file-1"}, {"file-1"}),
        ({"input_reference": {"file_id": "file-1"}}, {"file-1"}),
        ({"input_reference": ' {"file_id": "file-1"}'}, {"file-1"}),
        ({"session": '{"tools": [{"container": "cntr_1"}]}'}, {"cntr_1"}),
        ({"prompt": '{"file_id": "file-1"}', "other": "{broken", "more": "[1]"}, set()),
    ],
)
def test_a_form_refers_by_its_fields_and_by_json_in_them(fields: dict[str, Any], ids: set[str]) -> None:
    assert mentioned_in_form(fields) == ids


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_no_body_that_can_refer_to_an_object_is_passed_over(name: str) -> None:
    assert of({"a": [{name: {"id": "x"}}]}) == {"x"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"previous_response_id":"resp_1","previous_response_id":"resp_2"}',
        b'{"previous_response_id":"resp_1","previous\\u005fresponse_id":null}',
        b'{"input":[{"type":"item_reference","id":"msg_1","id":"msg_2"}]}',
        b'{"metadata":{"a":"1","a":"2"},"file_id":"file-1"}',
    ],
)
def test_a_reference_cannot_be_hidden_behind_another(body: bytes) -> None:
    with pytest.raises(Refusal, match="stands twice"):
        mentioned(body, orjson.loads(body))


def test_a_body_too_deep_to_be_checked_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: Any, **__: Any) -> None:
        raise RecursionError

    monkeypatch.setattr(json, "loads", exhausted)  # how deep it goes depends on the interpreter
    with pytest.raises(Refusal, match="too deeply"):
        mentioned(b'{"file_id":[[]]}', {"file_id": [[]]})


@given(st.integers(1, 200))
def test_a_reference_cannot_be_hidden_by_depth(depth: int) -> None:
    request: dict[str, Any] = {"file_id": "file-1"}
    for _ in range(depth):
        request = {"content": [request]}
    assert of(request) == {"file-1"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "file_id", "input", "conversation", "output", "x"]), inner, max_size=3
        )
    ),
    max_leaves=10,
)


@given(JSON)
def test_odd_bodies_are_read_without_harm(value: Any) -> None:
    if isinstance(value, dict):
        assert all(isinstance(each, str) for each in of(value))
        assert all(isinstance(each, str) for each in brought(value))


def test_a_member_that_stands_twice_in_the_text_of_a_field_is_refused() -> None:
    with pytest.raises(Refusal):
        mentioned_in_form({"session": '{"file_id": "a", "file_id": "b"}'})
