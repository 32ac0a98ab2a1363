"""Calls of the provider's own tools: one of each that a response is given."""

from simulators.openai.account import new_id
from simulators.openai.answers import Call
from simulators.openai.containers import new_container
from simulators.openai.fields import JsonObject

# What a stream reports between the beginning and the end of such a call.
STAGES = {
    "web_search_call": ("in_progress", "searching", "completed"),
    "file_search_call": ("in_progress", "searching", "completed"),
    "code_interpreter_call": ("in_progress", "interpreting", "completed"),
}


def tool_items(call: Call) -> list[JsonObject]:
    """The output items; none where `tool_choice` forbids tools or obliges to call a function."""
    if call.fields.get("tool_choice") not in (None, "auto", "required"):
        return []
    items: list[JsonObject] = []
    for tool in call.fields.objects("tools"):
        match tool.get("type"):
            case "web_search" | "web_search_preview":
                action = {"type": "search", "query": "simulated query"}
                items.append(_item("web_search_call", "ws_", {"action": action}))
            case "file_search":
                for identifier in tool.get("vector_store_ids", ()):
                    call.account.shelf("vector_store").get(identifier)
                found = {"queries": ["simulated query"], "results": None}
                items.append(_item("file_search_call", "fs_", found))
            case "code_interpreter":
                ran = {"code": "print(1)", "container_id": _container(call, tool), "outputs": None}
                items.append(_item("code_interpreter_call", "ci_", ran))
    return items


def _container(call: Call, tool: JsonObject) -> str:
    wanted = tool.get("container")
    if isinstance(wanted, str):
        call.account.shelf("container").get(wanted)
        return wanted
    identifier: str = new_container(call, "auto")["id"]
    return identifier


def _item(kind: str, prefix: str, members: JsonObject) -> JsonObject:
    return {"id": new_id(prefix), "type": kind, "status": "completed"} | members
