from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.meter.members import MalformedJsonError, last_member, members, without

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)
_objects = st.dictionaries(
    st.sampled_from(["a", "usage", '"', "\\", "é", 'x"usage":null']), _values, max_size=5
)
_styles = st.sampled_from([None, 0, 2])


@given(_objects, _styles, st.booleans())
def test_members_are_those_of_the_object(value: dict[str, Any], indent: int | None, plain: bool) -> None:
    raw = json.dumps(value, indent=indent, ensure_ascii=plain).encode()
    found = {member.key: json.loads(raw[member.value_start : member.value_end]) for member in members(raw)}
    assert found == value


@given(_objects, _styles)
def test_members_taken_out_leave_the_others(value: dict[str, Any], indent: int | None) -> None:
    raw = json.dumps(value, indent=indent).encode()
    doomed = [member for member in members(raw) if member.key in ("usage", "a")]
    left = {key: kept for key, kept in value.items() if key not in ("usage", "a")}
    assert json.loads(without(raw, doomed)) == left


@given(_objects, _objects, _styles)
def test_the_last_member_is_found_at_its_depth_only(
    outer: dict[str, Any], inner: dict[str, Any], indent: int | None
) -> None:
    value = {**outer, "response": inner}
    raw = json.dumps(value, indent=indent).encode()
    for depth, holder in ((1, value), (2, inner)):
        span = last_member(raw, b"usage", depth, window=10**6)
        if depth == 2 and span is not None and "usage" not in inner:
            continue  # another object of this depth has one
        found = None if span is None else json.loads(raw[span[0] : span[1]])
        assert (span is not None) == ("usage" in holder)
        assert found == holder.get("usage")


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b'{"a"', b'{"a":', b'{"a":1', b'{"a":1 "b":2}', b"{a:1}", b'{"a":"x']
)
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedJsonError):
        list(members(raw))
