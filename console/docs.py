"""The API's documentation as one page of HTML, made from the OpenAPI document. It loads nothing."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from html import escape
from typing import Any

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}
h2{margin-top:2.5rem;font-size:1.1rem}code{font-family:ui-monospace,monospace}
.method{display:inline-block;min-width:4.5rem;font-weight:700}
table{border-collapse:collapse;width:100%;margin:.5rem 0}
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #ddd}
"""
_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{_HASH}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def page(document: Mapping[str, Any]) -> str:
    """HTML of the whole document; everything in it is escaped."""
    title = escape(document["info"]["title"])
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>',
        f"<h1>{title}</h1><p>{escape(document['info']['description'])}</p>",
        '<p>The same as a document for programs: <a href="/api/openapi.json">/api/openapi.json</a></p>',
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts += _operation(path, method, operation)
    parts.append("<h1>Objects</h1>")
    for name, schema in document["components"]["schemas"].items():
        parts.append(f'<h2 id="{escape(name)}">{escape(name)}</h2>')
        parts.append(f"<p>{escape(schema.get('description', ''))}</p>")
        parts += _table(schema.get("properties", {}), schema.get("required", []))
    return "".join([*parts, "</body></html>"])


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h2><span class="method">{escape(method.upper())}</span><code>{escape(path)}</code></h2>'
    keys = [name for scheme in operation.get("security", []) for name in scheme]
    needs = f" Needs: {escape(', '.join(keys))}." if keys else ""
    yield f"<p>{escape(operation['summary'])}.{needs}</p>"
    body = operation.get("requestBody")
    if body is not None:
        yield f"<p>Body: {_type(body['content']['application/json']['schema'])}</p>"
    parameters = {p["name"]: p["schema"] for p in operation["parameters"]}
    yield from _table(parameters, [p["name"] for p in operation["parameters"] if p["required"]])
    for status, answer in operation["responses"].items():
        for kind, content in answer["content"].items():
            yield f"<p>{escape(status)}: {_type(content['schema'])} ({escape(kind)})</p>"


def _table(fields: Mapping[str, Any], required: list[str]) -> Iterator[str]:
    if not fields:
        return
    yield "<table><thead><tr><th>name</th><th>type</th><th>meaning</th></tr></thead><tbody>"
    for name, schema in fields.items():
        must = " (required)" if name in required else ""
        meaning = escape(schema.get("description", ""))
        yield f"<tr><td><code>{escape(name)}</code>{must}</td><td>{_type(schema)}</td><td>{meaning}</td></tr>"
    yield "</tbody></table>"


def _type(schema: Mapping[str, Any]) -> str:
    """A schema in a few words, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "enum" in schema:
        return escape(" | ".join(str(value) for value in schema["enum"]))
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(str(schema.get("format", kind)))
