"""Structured answers satisfy their schema, whatever the schema says."""

from typing import Any

import pytest

from simulators.openai.errors import ApiError
from simulators.openai.schema import example


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, "text"),
        ({"type": ["integer", "null"], "minimum": 5}, 5),
        ({"const": None}, None),
        ({"enum": ["b", "a"]}, "b"),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, True),
        ({"type": "array", "items": {"type": "number"}, "minItems": 2}, [1, 1]),
        ({"type": "object"}, {}),
        (
            {"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "string"}}},
            {"a": "text"},
        ),
        ({"$ref": "#/nowhere"}, None),
        ({"type": "array", "minItems": "many"}, [{}]),
        (None, None),
    ],
)
def test_the_plainest_instance_is_given(schema: Any, expected: Any) -> None:
    assert example(schema, "text") == expected


def test_a_schema_that_refers_to_itself_comes_to_an_end() -> None:
    assert example({"properties": {"next": {"$ref": "#"}}}, "text")
    assert example({"$ref": "#"}, "text") is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "minItems": 10**9, "items": {"type": "string"}},
        {"properties": {name: {"$ref": "#"} for name in "abcd"}},
    ],
)
def test_a_schema_that_asks_for_too_much_is_refused(schema: Any) -> None:
    with pytest.raises(ApiError, match="more than"):
        example(schema, "text")
