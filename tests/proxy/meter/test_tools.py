from __future__ import annotations

from proxy.meter.tools import forced_name, functions_of, other_tools, tools_text

_WEATHER = {
    "name": "get_weather",
    "description": "Get the weather.\nNow.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}},
        "required": ["city"],
    },
}


def test_functions_are_found_in_each_shape() -> None:
    assert functions_of({"tools": [{"type": "function", "function": _WEATHER}]}) == [_WEATHER]
    assert functions_of({"tools": [{"type": "function", **_WEATHER}]}) == [{"type": "function", **_WEATHER}]
    assert functions_of({"functions": [_WEATHER]}) == [_WEATHER]
    assert functions_of({"tools": [None, 7, {"type": "web_search"}, {"function": 3}]}) == []
    assert functions_of({"tools": "x", "functions": {}}) == []


def test_hosted_tools_are_told_from_functions() -> None:
    assert other_tools({"tools": [{"type": "web_search"}, {"type": "function"}, 3]}) == [
        {"type": "web_search"}
    ]


def test_an_answer_is_forced_to_call_what_is_named() -> None:
    tools = [{"type": "function", "name": "f"}]
    named = {"tools": tools, "tool_choice": {"type": "function", "function": {"name": "f"}}}
    assert forced_name(named, responses=False) == "f"
    assert forced_name({"functions": tools, "function_call": {"name": "f"}}, responses=False) == "f"
    assert forced_name({"tools": tools, "tool_choice": {"type": "allowed_tools"}}, responses=True) is None


def test_a_response_that_requires_the_only_function_names_it() -> None:
    required = {"tools": [{"type": "function", "name": "f"}], "tool_choice": "required"}
    assert forced_name(required, responses=True) == "f"
    assert forced_name(required, responses=False) is None
    for more in ({"type": "function", "name": "g"}, {"type": "web_search"}):
        assert forced_name({**required, "tools": [*required["tools"], more]}, responses=True) is None


def test_functions_are_written_as_typescript() -> None:
    assert tools_text([_WEATHER, {"name": "now"}]) == (
        "# Tools\n\n## functions\n\nnamespace functions {\n\n"
        '// Get the weather.\n// Now.\ntype get_weather = (_: { city: string, unit?: "c" | "f" }) => any;\n\n'
        "type now = () => any;\n\n"
        "} // namespace functions"
    )
