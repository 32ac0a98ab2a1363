"""JSON schemas as the TypeScript text in which the models see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

_DEEPEST = 24
_BUDGET = 2_000_000
_PER_TYPE = 100
_NAMES = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean", "null": "null"}


class _Field(NamedTuple):
    """One property: its comment lines, its text, and what trails it."""

    above: list[str]
    text: str
    trail: str


def signature(schema: Any) -> str:
    """A function's parameters: `()`, `(_: { a: string })`, or the same in lines where a property has a
    comment.

    References are written out where they stand. A schema that grows beyond bounds by that, or that refers to
    itself, is cut short with `any`.
    """
    root = schema if isinstance(schema, Mapping) else {}
    writer = _Writer(root)
    fields = writer.fields(writer.resolved(root), 0)
    return f"(_: {_braced(fields)})" if fields else "()"


def comment(text: Any) -> list[str]:
    """A description as comment lines; empty lines are not shown."""
    lines = text.split("\n") if isinstance(text, str) else []
    return [f"// {line.strip()}" for line in lines if line.strip()]


class _Writer:
    """Writes the types of one schema within a budget, so that references to references can't multiply for
    ever."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._left = _BUDGET

    def fields(self, schema: Mapping[str, Any], depth: int) -> list[_Field]:
        properties = schema.get("properties")
        if not isinstance(properties, Mapping):
            return []
        needed = schema.get("required")
        required = needed if isinstance(needed, list) else []
        return [
            self._field(name, given if isinstance(given, Mapping) else {}, name in required, depth)
            for name, given in properties.items()
        ]

    def resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """The schema that a local `$ref` names, or the schema itself; empty where the reference leads
        nowhere."""
        for _ in range(_DEEPEST):
            reference = schema.get("$ref")
            if not isinstance(reference, str) or not reference.startswith("#"):
                return schema
            target: Any = self._root
            for step in reference[1:].split("/")[1:]:
                name = step.replace("~1", "/").replace("~0", "~")
                target = target.get(name) if isinstance(target, Mapping) else None
            if not isinstance(target, Mapping):
                return {}
            schema = target
        return {}

    def _field(self, name: str, given: Mapping[str, Any], required: bool, depth: int) -> _Field:
        shape = {**self.resolved(given), **given}
        above = comment(shape.get("title")) + comment(shape.get("description"))
        self._left -= sum(map(len, above))
        if self._left < 0:
            above = []
        default = shape.get("default")
        trail = "" if default is None else f" // default: {_literal(default)}"
        mark = "" if required else "?"
        return _Field(above, f"{name}{mark}: {self._type(shape, depth + 1)}", trail)

    def _type(self, schema: Any, depth: int) -> str:
        self._left -= _PER_TYPE
        if not isinstance(schema, Mapping) or depth > _DEEPEST or self._left < 0:
            return "any"
        schema = self.resolved(schema)
        for keyword, joint in (("anyOf", " | "), ("oneOf", " | "), ("allOf", " & ")):
            options = schema.get(keyword)
            if isinstance(options, list) and options:
                return joint.join(dict.fromkeys(self._type(option, depth + 1) for option in options))
        values = schema.get("enum")
        if isinstance(values, list) and values:
            return " | ".join(map(_literal, values))
        if "const" in schema:
            return _literal(schema["const"])
        kind = schema.get("type")
        if isinstance(kind, list):
            return " | ".join(self._type({**schema, "type": one}, depth + 1) for one in kind) or "any"
        if kind == "array":
            inner = self._type(schema.get("items"), depth + 1)
            return f"({inner})[]" if " | " in inner and not inner.startswith("{") else f"{inner}[]"
        if kind == "object" or "properties" in schema:
            fields = self.fields(schema, depth)
            return _braced(fields) if fields else "object"
        return _NAMES.get(kind, "any") if isinstance(kind, str) else "any"


def _braced(fields: list[_Field]) -> str:
    if any(field.above or field.trail or "\n" in field.text for field in fields):
        lines = ["{"]
        for field in fields:
            lines += [*field.above, f"{field.text},{field.trail}"]
        return "\n".join([*lines, "}"])
    return "{ " + ", ".join(field.text for field in fields) + " }"


def _literal(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except (TypeError, ValueError):
        return ""
