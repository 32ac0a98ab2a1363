"""JSON schemas as the TypeScript text in which the models see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

_DEEPEST = 24
_NAMES = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean", "null": "null"}


def signature(schema: Any) -> str:
    """The parameters of a function: `()`, `(_: { a: string })`, or the same over several lines where one
    has a comment."""
    root = schema if isinstance(schema, Mapping) else {}
    fields = _fields(_resolved(root, root), root, 0)
    return f"(_: {_braced(fields)})" if fields else "()"


def comment(text: Any) -> list[str]:
    """A description as comment lines; empty lines are not shown."""
    return (
        [f"// {line.strip()}" for line in text.split("\n") if line.strip()] if isinstance(text, str) else []
    )


def _fields(
    schema: Mapping[str, Any], root: Mapping[str, Any], depth: int
) -> list[tuple[list[str], str, str]]:
    """Each property as its comment lines, its text, and what trails it."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return []
    needed = schema.get("required")
    required = needed if isinstance(needed, list) else []
    fields = []
    for name, given in properties.items():
        own = given if isinstance(given, Mapping) else {}
        shape = {**_resolved(own, root), **own}
        above = comment(shape.get("title")) + comment(shape.get("description"))
        trail = f" // default: {_literal(shape['default'])}" if shape.get("default") is not None else ""
        mark = "" if name in required else "?"
        fields.append((above, f"{name}{mark}: {_type(shape, root, depth + 1)}", trail))
    return fields


def _braced(fields: list[tuple[list[str], str, str]]) -> str:
    if any(above or trail or "\n" in text for above, text, trail in fields):
        lines = ["{"]
        for above, text, trail in fields:
            lines += [*above, f"{text},{trail}"]
        return "\n".join([*lines, "}"])
    return "{ " + ", ".join(text for _, text, _ in fields) + " }"


def _type(schema: Any, root: Mapping[str, Any], depth: int) -> str:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return "any"
    schema = _resolved(schema, root)
    for union in ("anyOf", "oneOf"):
        options = schema.get(union)
        if isinstance(options, list) and options:
            return " | ".join(dict.fromkeys(_type(option, root, depth + 1) for option in options))
    merged = schema.get("allOf")
    if isinstance(merged, list) and merged:
        return " & ".join(dict.fromkeys(_type(option, root, depth + 1) for option in merged))
    values = schema.get("enum")
    if isinstance(values, list) and values:
        return " | ".join(map(_literal, values))
    if "const" in schema:
        return _literal(schema["const"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(_type({**schema, "type": one}, root, depth + 1) for one in kind) or "any"
    if kind == "array":
        inner = _type(schema.get("items"), root, depth + 1)
        return f"({inner})[]" if " | " in inner and not inner.startswith("{") else f"{inner}[]"
    if kind == "object" or "properties" in schema:
        fields = _fields(schema, root, depth)
        return _braced(fields) if fields else "object"
    return _NAMES.get(kind, "any") if isinstance(kind, str) else "any"


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a local `$ref` names; the schema itself where it has none that resolves."""
    for _ in range(_DEEPEST):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            return schema
        target: Any = root
        for step in reference[1:].split("/")[1:]:
            target = (
                target.get(step.replace("~1", "/").replace("~0", "~"))
                if isinstance(target, Mapping)
                else None
            )
        if not isinstance(target, Mapping):
            return {}
        schema = target
    return {}


def _literal(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except (TypeError, ValueError):
        return str(value)
