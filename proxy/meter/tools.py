"""Tools as the text that a request adds to the system message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.meter.schema_text import comment, signature


def functions_of(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The functions a request offers: chat (`tools[].function`), responses (`tools[]`) and the old
    `functions`."""
    found: list[Mapping[str, Any]] = []
    for tool in _list(request.get("tools")):
        if isinstance(tool, Mapping) and tool.get("type", "function") == "function":
            body = tool.get("function", tool)
            if isinstance(body, Mapping):
                found.append(body)
    return found + [body for body in _list(request.get("functions")) if isinstance(body, Mapping)]


def other_tools(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The tools that are not functions: web search, files, code, custom ones."""
    tools = (tool for tool in _list(request.get("tools")) if isinstance(tool, Mapping))
    return [tool for tool in tools if tool.get("type", "function") != "function"]


def tools_text(functions: list[Mapping[str, Any]]) -> str:
    """The section on these functions."""
    lines = ["# Tools", "", "## functions", "", "namespace functions {", ""]
    for function in functions:
        lines += comment(function.get("description"))
        lines += [f"type {function.get('name', '')} = {signature(function.get('parameters'))} => any;", ""]
    return "\n".join([*lines, "} // namespace functions"])


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
