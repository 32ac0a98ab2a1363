"""A value that satisfies a JSON schema, for tool calls and structured answers."""

from itertools import count
from typing import Any

from simulators.openai.errors import invalid_value
from simulators.openai.fields import JsonObject

MAX_DEPTH = 12  # a schema may refer to itself
MAX_VALUES = 10_000  # and a small one may ask for a billion items


def example(schema: Any, text: str) -> Any:
    """The plainest instance of the schema; `text` stands wherever a free string is asked for."""
    return _Example(schema if isinstance(schema, dict) else {}, text).value(schema, MAX_DEPTH)


class _Example:
    def __init__(self, root: JsonObject, text: str) -> None:
        self._root = root
        self._text = text
        self._made = count(1)

    def value(self, schema: Any, depth: int) -> Any:
        if next(self._made) > MAX_VALUES:
            raise invalid_value("schema", f"an instance of it has more than {MAX_VALUES} values.")
        if not isinstance(schema, dict) or depth == 0:
            return None
        if "$ref" in schema:
            return self.value(self._resolve(schema["$ref"]), depth - 1)
        if "const" in schema:
            return schema["const"]
        for union in ("enum", "anyOf", "oneOf", "allOf"):
            options = schema.get(union)
            if isinstance(options, list) and options:
                return options[0] if union == "enum" else self.value(options[0], depth - 1)
        kind = schema.get("type")
        return self._of_kind(kind[0] if isinstance(kind, list) and kind else kind, schema, depth)

    def _of_kind(self, kind: Any, schema: JsonObject, depth: int) -> Any:
        match kind:
            case "string":
                return self._text
            case "integer" | "number":
                return schema.get("minimum", 1)
            case "boolean":
                return True
            case "array":
                least = schema.get("minItems")
                items = range(max(1, least) if isinstance(least, int) else 1)
                return [self.value(schema.get("items", {}), depth - 1) for _ in items]
            case "null":
                return None
        members = schema.get("properties")
        if not isinstance(members, dict):
            return {}
        return {name: self.value(member, depth - 1) for name, member in members.items()}

    def _resolve(self, reference: Any) -> Any:
        found: Any = self._root
        for name in str(reference).removeprefix("#").split("/")[1:]:
            found = found.get(name) if isinstance(found, dict) else None
        return found
