from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.endpoints.deciding import check_once
from proxy.errors import Refusal


def _check(body: bytes) -> None:
    check_once(body, orjson.loads(body))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"model":"a","messages":[],"model":"b"}', "model"),
        (b'{"max_tokens":1,"model":"a","max_tokens" : 100000}', "max_tokens"),
        (b'{"n":1,"n":128}', "n"),
        (b'{"stream":true,"stream":true}', "stream"),
        (b'{"service_tier":"flex","service_tier":"priority"}', "service_tier"),
        (b'{"store":false,"metadata":{},"store":true}', "store"),
        (b'{"background":false,"background":true}', "background"),
        (b'{"messages":[{"role":"user"}],"messages":[]}', "messages"),
        (b'{"mod\\u0065l":"a","model":"b"}', "model"),
        (b'{"\\u006dodel":"a","m\\u006fdel":"b"}', "model"),
        (b'{"Model":"a","model":"b"}', "model"),
    ],
)
def test_a_member_that_decides_on_money_stands_there_once(body: bytes, name: str) -> None:
    with pytest.raises(Refusal) as refused:
        _check(body)
    assert (refused.value.status, refused.value.param, refused.value.code) == (400, name, "duplicate_member")
    assert f"'{name}'" in refused.value.message


@pytest.mark.parametrize(
    "body",
    [
        b'{"temperature":1,"temperature":2,"user":"a","user":"b"}',
        b'{"model":"a","metadata":{"model":"b"},"messages":[{"n":1},{"n":2}]}',
        b'{"model":"n","user":"model","tools":[{"model":"a"}],"tool_choice":"model"}',
        b'{"model":"a","messages":[{"content":"\\"model\\": \\"b\\", \\u0041\\u00e9"}]}',
        b"{}",
    ],
)
def test_all_else_passes(body: bytes) -> None:
    _check(body)


def test_an_object_within_a_body_is_looked_at_where_it_stands() -> None:
    line = b'{"body": {"n": 1, "n": 2}}'
    with pytest.raises(Refusal):
        check_once(line, {"n": 2}, line.index(b'{"n"'))


@given(
    st.dictionaries(
        st.sampled_from(["model", "n", "user", "stream", "a"]),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=12) | st.sampled_from(["model", "n"]),
            lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["model", "n", "b"]), inner),
            max_leaves=8,
        ),
    ),
    st.booleans(),
)
def test_no_body_whose_names_stand_once_is_refused(asked: dict[str, Any], ascii_only: bool) -> None:
    _check(json.dumps(asked, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))
