"""A value that satisfies a JSON schema, for tool calls and structured answers."""

from typing import Any

from simulators.openai.fields import JsonObject

MAX_DEPTH = 12  # a schema may refer to itself


def example(schema: Any, text: str) -> Any:
    """The plainest instance of the schema; `text` stands wherever a free string is asked for."""
    return _value(schema, schema if isinstance(schema, dict) else {}, text, MAX_DEPTH)


def _value(schema: Any, root: JsonObject, text: str, depth: int) -> Any:
    if not isinstance(schema, dict) or depth == 0:
        return None
    if "$ref" in schema:
        return _value(_resolve(schema["$ref"], root), root, text, depth - 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for union in ("anyOf", "oneOf", "allOf"):
        if schema.get(union):
            return _value(schema[union][0], root, text, depth - 1)
    kind = schema.get("type")
    match kind[0] if isinstance(kind, list) and kind else kind:
        case "string":
            return text
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "array":
            count = max(1, schema.get("minItems", 1))
            return [_value(schema.get("items", {}), root, text, depth - 1) for _ in range(count)]
        case "null":
            return None
        case _:
            members = schema.get("properties")
            if not isinstance(members, dict):
                return {}
            return {name: _value(member, root, text, depth - 1) for name, member in members.items()}


def _resolve(reference: Any, root: JsonObject) -> Any:
    found: Any = root
    for name in str(reference).removeprefix("#").split("/")[1:]:
        found = found.get(name) if isinstance(found, dict) else None
    return found
