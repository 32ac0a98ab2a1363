"""The JSON schema of an answer as the text that a request adds to the system message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from proxy.meter.schema_text import comment

_UNSEEN = frozenset(
    {
        "required",
        "additionalProperties",
        "default",
        "format",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "pattern",
    }
)
_DEEPEST = 64


def format_of(request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema a request demands: chat (`response_format.json_schema`) or responses (`text.format`);
    else None."""
    given = request.get("response_format")
    if given is None:
        text = request.get("text")
        given = text.get("format") if isinstance(text, Mapping) else None
    if not isinstance(given, Mapping) or given.get("type") != "json_schema":
        return None
    inner = given.get("json_schema", given)
    return inner if isinstance(inner, Mapping) else None


def format_text(schema_format: Mapping[str, Any]) -> str:
    """The section on this format."""
    lines = ["# Response Formats", "", f"## {schema_format.get('name', '')}", ""]
    lines += comment(schema_format.get("description"))
    return "\n".join([*lines, minified(_seen(schema_format.get("schema"), 0))])


def minified(value: Any) -> str:
    """A value as JSON without white space; nothing where it nests too deep to be written."""
    try:
        return orjson.dumps(value).decode()
    except (TypeError, ValueError):
        return ""


def _seen(schema: Any, depth: int, *, names: bool = False) -> Any:
    """The schema without the keywords that the model isn't shown; under `properties` the keys are names."""
    if depth > _DEEPEST:
        return None
    if isinstance(schema, list):
        return [_seen(item, depth + 1) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: _seen(value, depth + 1, names=not names and key in ("properties", "$defs", "definitions"))
        for key, value in schema.items()
        if names or key not in _UNSEEN
    }
