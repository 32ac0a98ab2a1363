"""Calls of the provider's own tools, which are charged beside the tokens.

What counts, by OpenAI's price page and the description of `tool_usage` in its API: a web search that was
completed, but not the opening of a page or a look into it; a search in files; a container in which code ran, once
however often; the tokens of the image tool, which has a model of its own. Functions, MCP and computer use cost
tokens only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from proxy.meter.image_tokens import image_output_tokens
from proxy.meter.usage import read_usage

CALLED: Final = (b'_search_call"', b'_interpreter_call"', b'"shell_call"', b'_generation_call"')
"""Bytes of which an answer or an event has at least one where it names such a call."""

_MOST_CALLS: Final = 1000
_HELD: Final = 16
"""Calls of a tool that are held for where the request sets no bound: more than recorded answers make."""
_KEPT: Final = ("type", "status", "action", "container_id", "environment", "size", "quality")
_MEMORY: Final = ("4g", "16g", "64g")
_SEARCHES_AT_NO_PREVIEW_PRICE: Final = ("gpt-5", "o")


def trace(item: Any) -> dict[str, Any] | None:
    """What has to be remembered of an output item to count it later; None of one that is not charged."""
    if not isinstance(item, Mapping) or item.get("type") not in (
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "shell_call",
        "image_generation_call",
    ):
        return None
    kept = {name: item[name] for name in _KEPT if name in item}
    if kept["type"] == "web_search_call":
        action = kept.pop("action", None)
        kept["action"] = action.get("type") if isinstance(action, Mapping) else None
    elif kept["type"] == "image_generation_call" and item.get("result"):
        kept["status"] = "completed"  # events of streams call a finished image `generating`
        kept.pop("action", None)
    return kept


def tools_called(response: Mapping[str, Any]) -> dict[str, int]:
    """Quantities of a decoded response: by `tool_usage` where it has one, else by its output items."""
    items = response.get("output")
    kept = [found for found in map(trace, items) if found] if isinstance(items, list) else []
    reported = response.get("tool_usage")
    if not kept and not reported:
        return {}
    return count_calls(kept, response.get("tools"), response.get("model"), reported)


def count_calls(
    items: Iterable[Mapping[str, Any]], tools: Any, model: Any, tool_usage: Any = None
) -> dict[str, int]:
    """Quantities of what `trace` kept. `tools` and `model` as in the response or the request."""
    done = [item for item in items if item.get("status") == "completed"]
    offered = [tool for tool in tools if isinstance(tool, Mapping)] if isinstance(tools, list) else []
    reported = tool_usage if isinstance(tool_usage, Mapping) else {}
    searches = _reported_searches(reported)
    if searches is None:
        searches = sum(
            item["type"] == "web_search_call" and item.get("action") in (None, "search") for item in done
        )
    images = _reported_images(reported)
    if images is None:
        sizes = [item for item in done if item["type"] == "image_generation_call"]
        images = {"image_tool_output_token": sum(map(_image_tokens, sizes))}
    found = {
        _search_kind(offered, model): searches,
        "file_search_call": sum(item["type"] == "file_search_call" for item in done),
        session_kind(_auto_container(offered)): len(_containers(done) - _own_containers(offered)),
        **images,
    }
    return {kind: count for kind, count in found.items() if count}


def searches_of_chat(request: Mapping[str, Any], model: str) -> dict[str, int]:
    """The search of an answered chat completion: a model that searches does so before each answer, whether it
    cites what it found or not."""
    if "-search-preview" in model:
        return {"web_search_preview_call": 1}
    if "-search-api" in model or isinstance(request.get("web_search_options"), Mapping):
        return {"web_search_call": 1}
    return {}


def calls_to_hold(request: Mapping[str, Any], model: str) -> dict[str, int]:
    """An upper bound of what a response may call, for the hold: of each tool that it offers `max_tool_calls`, else
    a stated number; a container, and an image of the dearest kind for each call."""
    tools = request.get("tools")
    offered = [tool for tool in tools if isinstance(tool, Mapping)] if isinstance(tools, list) else []
    given = request.get("max_tool_calls")
    calls = min(given, _MOST_CALLS) if type(given) is int and given >= 0 else _HELD
    kinds = {str(tool.get("type")) for tool in offered}
    held = {
        _search_kind(offered, model): calls * any(kind.startswith("web_search") for kind in kinds),
        "file_search_call": calls * ("file_search" in kinds),
        session_kind(_auto_container(offered)): min(calls, 1) * bool(kinds & {"code_interpreter", "shell"}),
        "image_tool_output_token": calls * image_output_tokens(None, None) * ("image_generation" in kinds),
    }
    return {kind: count for kind, count in held.items() if count}


def session_kind(container: Any) -> str:
    """The kind of one container of the code interpreter, by the `memory_limit` that it was asked for with."""
    memory = container.get("memory_limit") if isinstance(container, Mapping) else None
    return f"code_interpreter_session_{memory}" if memory in _MEMORY else "code_interpreter_session"


def _reported_searches(reported: Mapping[str, Any]) -> int | None:
    search = reported.get("web_search")
    count = search.get("num_requests") if isinstance(search, Mapping) else None
    return count if type(count) is int and 0 <= count <= 10**6 else None


def _reported_images(reported: Mapping[str, Any]) -> dict[str, int] | None:
    usage = read_usage(reported.get("image_gen"))
    if usage is None:
        return None
    return {
        "image_tool_text_token": usage.input_tokens - usage.image_input_tokens,
        "image_tool_image_token": usage.image_input_tokens,
        "image_tool_output_token": usage.output_tokens,
    }


def _image_tokens(item: Mapping[str, Any]) -> int:
    return image_output_tokens(item.get("size"), item.get("quality"))


def _search_kind(tools: Iterable[Mapping[str, Any]], model: Any) -> str:
    """Of the earlier tool a search costs more where the model doesn't reason; what it found is free, then."""
    preview = any(str(tool.get("type")).startswith("web_search_preview") for tool in tools)
    reasons = isinstance(model, str) and model.startswith(_SEARCHES_AT_NO_PREVIEW_PRICE)
    return "web_search_preview_call" if preview and not reasons else "web_search_call"


def _containers(items: Iterable[Mapping[str, Any]]) -> set[str]:
    found = set()
    for item in items:
        holder = item.get("environment") if item["type"] == "shell_call" else item
        name = holder.get("container_id") if isinstance(holder, Mapping) else None
        if isinstance(name, str):
            found.add(name)
    return found


def _own_containers(tools: Iterable[Mapping[str, Any]]) -> set[str]:
    """Containers that the caller made before, and paid for then."""
    own = set()
    for tool in tools:
        environment = tool.get("environment")
        named = environment.get("container_id") if isinstance(environment, Mapping) else tool.get("container")
        if isinstance(named, str):
            own.add(named)
    return own


def _auto_container(tools: Iterable[Mapping[str, Any]]) -> Any:
    for tool in tools:
        for member in ("container", "environment"):
            if isinstance(tool.get(member), Mapping):
                return tool[member]
    return None
