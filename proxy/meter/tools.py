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


def forced_name(request: Mapping[str, Any], *, responses: bool) -> str | None:
    """The function that the answer has to call: the one that is named. Responses also take `required` for naming it
    where a single one is offered; a chat doesn't."""
    choice = request.get("tool_choice", request.get("function_call"))
    if responses and choice == "required":
        offered = functions_of(request)
        choice = offered[0] if len(offered) == 1 and not other_tools(request) else None
    if not isinstance(choice, Mapping):
        return None
    function = choice.get("function", choice)
    name = function.get("name") if isinstance(function, Mapping) else None
    return name if isinstance(name, str) else None


def tools_text(functions: list[Mapping[str, Any]]) -> str:
    """The section on these functions."""
    lines = ["# Tools", "", "## functions", "", "namespace functions {", ""]
    for function in functions:
        lines += comment(function.get("description"))
        lines += [f"type {function.get('name', '')} = {signature(function.get('parameters'))} => any;", ""]
    return "\n".join([*lines, "} // namespace functions"])


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
