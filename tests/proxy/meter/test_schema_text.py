from __future__ import annotations

import time
from typing import Any

import pytest

from proxy.meter.schema_text import comment, signature


def _of(properties: dict[str, Any], required: list[str] | None = None, **more: Any) -> str:
    return signature({"type": "object", "properties": properties, "required": required or [], **more})


def test_no_properties_are_no_parameters() -> None:
    assert signature(None) == signature({}) == signature({"type": "object", "properties": {}}) == "()"


def test_properties_without_comments_stand_in_one_line() -> None:
    assert _of({"a": {"type": "string"}, "b": {"type": "integer"}}, ["a"]) == "(_: { a: string, b?: number })"


def test_a_comment_puts_each_property_on_its_line() -> None:
    properties = {
        "city": {"type": "string", "title": "City", "description": " where \n\n exactly"},
        "n": {"type": "number", "default": 3},
    }
    assert _of(properties, ["city"]) == (
        "(_: {\n// City\n// where\n// exactly\ncity: string,\nn?: number, // default: 3\n})"
    )


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "boolean"}, "boolean"),
        ({"type": "array", "items": {"type": "string"}}, "string[]"),
        ({"type": "array"}, "any[]"),
        ({"enum": ["a", "b"]}, '"a" | "b"'),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string | null"),
        ({"type": ["integer", "null"]}, "number | null"),
        ({"const": 3}, "3"),
        ({"type": "object"}, "object"),
        ({"type": "object", "properties": {"y": {"type": "string"}}}, "{ y?: string }"),
        ({"$ref": "#/$defs/C"}, '"r" | "g"'),
        ({"$ref": "#/nowhere"}, "any"),
        ({}, "any"),
        (7, "any"),
        ({"type": {}}, "any"),
    ],
)
def test_types(schema: Any, text: str) -> None:
    assert _of({"x": schema}, ["x"], **{"$defs": {"C": {"enum": ["r", "g"]}}}) == f"(_: {{ x: {text} }})"


def test_empty_lines_are_no_comments() -> None:
    assert comment("") == comment(None) == comment(" \n") == []


def test_references_that_multiply_are_cut_short() -> None:
    doubling = {
        f"d{n}": {"properties": {k: {"$ref": f"#/$defs/d{n + 1}"} for k in "abcd"}} for n in range(20)
    }
    selfish = {"properties": {k: {"$ref": "#"} for k in "abcdefgh"}}
    heavy = {
        "$defs": {"h": {"description": "x" * 100_000}},
        "properties": {f"p{n}": {"$ref": "#/$defs/h"} for n in range(2000)},
    }
    started = time.monotonic()
    texts = [signature(s) for s in ({"$defs": doubling, "$ref": "#/$defs/d0"}, selfish, heavy, {"$ref": "#"})]
    assert time.monotonic() - started < 2
    assert all(len(text) < 3_000_000 for text in texts)
