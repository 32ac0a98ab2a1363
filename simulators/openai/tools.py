"""Which function a request obliges the model to call."""

from simulators.openai.completion import Function
from simulators.openai.errors import ApiError, invalid_type, missing
from simulators.openai.fields import Fields, JsonObject


def obliged_function(fields: Fields) -> Function | None:
    """The function of `tool_choice` (required, or by name), as chat and as responses write it."""
    functions = [_function(tool, index) for index, tool in enumerate(fields.objects("tools"))]
    named = {function["name"]: function for function in functions if function}
    choice = fields.get("tool_choice")
    if choice is None or choice in ("auto", "none"):
        return None
    if not named:
        raise ApiError(
            400, "Invalid value for 'tool_choice': it needs tools of type 'function'.", param="tool_choice"
        )
    if choice == "required":
        first = next(iter(named.values()))
        return Function(first["name"], first.get("parameters"), forced=False)
    if not isinstance(choice, dict):
        raise invalid_type("tool_choice", "one of 'none', 'auto', 'required' or an object", choice)
    if choice.get("type") != "function":
        return None
    name = choice.get("name") or Fields(Fields(choice).object("function") or {}).text("name")
    if not isinstance(name, str) or name not in named:
        raise ApiError(400, f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice")
    return Function(name, named[name].get("parameters"), forced=True)


def _function(tool: JsonObject, index: int) -> JsonObject | None:
    if tool.get("type") != "function":
        return None
    function = tool.get("function", tool)
    if not isinstance(function, dict):
        raise invalid_type(f"tools[{index}].function", "an object", function)
    if not isinstance(function.get("name"), str):
        raise missing(f"tools[{index}].function.name" if "function" in tool else f"tools[{index}].name")
    return function
