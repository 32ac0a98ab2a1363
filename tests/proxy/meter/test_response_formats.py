from __future__ import annotations

from proxy.meter.response_formats import format_of, format_text

_SCHEMA = {
    "type": "object",
    "properties": {"required": {"type": "string", "default": "x", "format": "date"}, "n": {"minimum": 1}},
    "required": ["required"],
    "additionalProperties": False,
}
_FORMAT = {"name": "Answer", "description": "What\nI want", "schema": _SCHEMA, "strict": True}


def test_the_format_is_found_in_each_shape() -> None:
    assert format_of({"response_format": {"type": "json_schema", "json_schema": _FORMAT}}) == _FORMAT
    in_responses = {"type": "json_schema", **_FORMAT}
    assert format_of({"text": {"format": in_responses}}) == in_responses
    for none in ({}, {"response_format": {"type": "json_object"}}, {"text": 3}, {"response_format": "x"}):
        assert format_of(none) is None


def test_the_schema_is_shown_without_bounds_and_a_property_may_bear_their_name() -> None:
    assert format_text(_FORMAT) == (
        "# Response Formats\n\n## Answer\n\n// What\n// I want\n"
        '{"type":"object","properties":{"required":{"type":"string"},"n":{}}}'
    )


def test_deep_schemas_are_cut_short() -> None:
    deep: dict[str, object] = {}
    for _ in range(900):
        deep = {"items": deep}
    assert len(format_text({"name": "deep", "schema": deep})) < 2000
