"""The OpenAPI document, made from the table of operations."""

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from console.call import Nothing, Operation
from console.inputs import MAX_BODY_BYTES

_REFERENCES = "#/components/schemas/{model}"
_SCHEMES = {"admin": "adminToken", "key": "apiKey"}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}

Key = tuple[int, str]


def document(operations: Sequence[Operation[Any, Any]], version: str) -> dict[str, Any]:
    """OpenAPI 3.1, as plain JSON values."""
    schemas, definitions = _schemas(operations)
    paths: dict[str, Any] = {}
    for number, operation in enumerate(operations):
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(
            operation,
            schemas[number, "body"],
            schemas[number, "query"],
            schemas[number, "answer"],
        )
    used = _referenced(paths, definitions, set())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tollkeeper console",
            "version": version,
            "description": "Times are RFC 3339 in UTC, money is a decimal string. Lists are paged by cursor. "
            f"Unknown fields are refused. A body has at most {MAX_BODY_BYTES} bytes.",
        },
        "paths": paths,
        "components": {
            "schemas": {name: definitions[name] for name in definitions if name in used} | {"Error": _ERROR},
            "securitySchemes": {
                "adminToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "TOLLKEEPER_ADMIN_TOKEN, or a Keycloak access token with the role ADMIN",
                },
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "an API key (sk-tk-...), or a member's Keycloak access token",
                },
            },
        },
    }


def _schemas(operations: Sequence[Operation[Any, Any]]) -> tuple[dict[Key, Any], dict[str, Any]]:
    wanted: list[tuple[Key, JsonSchemaMode, TypeAdapter[Any]]] = []
    for number, operation in enumerate(operations):
        wanted.append(((number, "body"), "validation", TypeAdapter(operation.body)))
        wanted.append(((number, "query"), "validation", TypeAdapter(operation.query)))
        wanted.append(((number, "answer"), "serialization", TypeAdapter(operation.answer)))
    found, shared = TypeAdapter.json_schemas(wanted, ref_template=_REFERENCES)
    definitions = shared.get("$defs", {})
    return {key: _resolved(schema, definitions) for (key, _), schema in found.items()}, definitions


def _referenced(node: Any, definitions: dict[str, Any], found: set[str]) -> set[str]:
    """Names of the definitions that `node` leads to; those of queries, say, became parameters."""
    if isinstance(node, dict):
        name = str(node.get("$ref", "")).rpartition("/")[2]
        if name in definitions and name not in found:
            found.add(name)
            _referenced(definitions[name], definitions, found)
        for value in node.values():
            _referenced(value, definitions, found)
    elif isinstance(node, list):
        for value in node:
            _referenced(value, definitions, found)
    return found


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """For queries, whose fields become parameters: the schema itself beside its reference."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return {"schema": schema, "fields": definitions.get(name, schema)}


def _operation(
    operation: Operation[Any, Any], body: dict[str, Any], query: dict[str, Any], answer: dict[str, Any]
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": _name(operation),
        "tags": [operation.path.split("/")[2]],
        "parameters": [*_path_parameters(operation.path), *_query_parameters(query["fields"])],
        "responses": {
            str(operation.status): {
                "description": "done",
                "content": {kind: {"schema": answer["schema"]} for kind in operation.media_types},
            },
            "default": {
                "description": "refused",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    if operation.access in _SCHEMES:
        made["security"] = [{_SCHEMES[operation.access]: []}]
    if operation.body is not Nothing:
        made["requestBody"] = {
            "required": not issubclass(operation.body, Nothing),
            "content": {"application/json": {"schema": body["schema"]}},
        }
    return made


def _name(operation: Operation[Any, Any]) -> str:
    # Of `{id}.pdf` what follows the variable.
    parts = [name for part in operation.path.split("/") if (name := part.rpartition("}")[2].strip("."))]
    one = "one_" if operation.path.endswith("}") else ""
    return f"{operation.method.lower()}_{one}{'_'.join(parts[1:])}"


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(fields: dict[str, Any]) -> list[dict[str, Any]]:
    required = fields.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in fields.get("properties", {}).items()
    ]
