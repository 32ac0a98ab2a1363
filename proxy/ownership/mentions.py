"""Ids of upstream objects: those that a request refers to, and those that an answer brings. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from proxy.ownership.names import check_names

REFERENCES: Final = frozenset(
    {
        "previous_response_id",
        "response_id",
        "conversation",
        "conversation_id",
        "file_id",
        "file_ids",
        "input_file_id",
        "training_file",
        "validation_file",
        "vector_store_id",
        "vector_store_ids",
        "container",
        "container_id",
        "assistant_id",
        "thread_id",
        "batch_id",
        "part_ids",
        "audio",
        "comparison_response_id",
    }
)
"""Members whose value, wherever they stand, is an id, a list of ids, or an object with an `id`."""
_ITEMS: Final = frozenset({"input", "items"})
"""Lists in which an element may refer to an item of an earlier answer by its id."""
_NAMING: Final = ("item_reference", "file_id")
"""Types of objects that name another by their `id`, wherever they stand."""
_OWN_CONTENT: Final = {
    "reasoning": ("encrypted_content", "content"),
    "image_generation_call": ("result",),
    "compaction": ("encrypted_content",),
}
"""Items that the provider looks up by their id, unless they bring one of these."""
_FREE_FORM: Final = frozenset({"metadata", "parameters", "schema"})
"""Members whose inside is the caller's own: no reference of the API stands there."""
_MARKS: Final = (b"_id", b"_file", b'"ft:', b'"conversation"', b'"container"', b'"audio"', b'"id"', b"\\u")
"""One of these is in every body that refers to an object: the names themselves, or what can spell them otherwise."""
_TEXTS: Final = ("prompt", "input")
"""Fields of forms that are read by models alone."""
_NO_IDS: Final = frozenset({"auto", "none"})


def is_tuned(model: str) -> bool:
    """Whether a model was made by a fine-tuning job, and belongs to who paid for that."""
    return model.lower().startswith("ft:")


def may_mention(body: bytes) -> bool:
    """Whether a body may refer to an object at all: most don't, and are told by a few searches."""
    lowered = body.lower()
    for mark in _MARKS:  # noqa: SIM110 - a generator costs as much as the searches
        if mark in lowered:
            return True
    return False


def mentioned(body: bytes, request: Mapping[str, Any]) -> set[str]:
    """All ids that `request` (`body`, decoded) refers to. Raises Refusal 400 for what can be read in two ways."""
    if not may_mention(body):
        return set()
    check_names(body)
    found: set[str] = set()
    waiting: list[Any] = [request]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
            continue
        if not isinstance(value, Mapping):
            continue
        if value.get("type") in _NAMING:
            found.update(_named(value))
        for spelled, member in value.items():
            name = spelled.lower()  # some providers read any case
            if name in REFERENCES:
                found.update(_named(member))
            elif name == "model" and isinstance(member, str) and is_tuned(member):
                found.add(member)
            elif name in _ITEMS and isinstance(member, list):
                found.update(item["id"] for item in member if _is_reference(item))
            elif name == "prompt":
                # A prompt that the account keeps: its variables are texts, or parts such as files.
                member = _variables(member)
            if name not in _FREE_FORM and isinstance(member, (list, Mapping)):
                waiting.append(member)
    return found - _NO_IDS


def mentioned_in_form(fields: Mapping[str, Any]) -> set[str]:
    """As `mentioned`, of a form's fields: also by texts that are JSON themselves."""
    found = mentioned(orjson.dumps(fields), fields)
    for name, text in fields.items():
        if name not in _TEXTS and isinstance(text, str) and text.lstrip().startswith(("{", "[")):
            try:
                inner = orjson.loads(text)
            except orjson.JSONDecodeError:
                continue
            found |= mentioned(text.encode(), {name: inner})
    return found


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))
    elif isinstance(value, Mapping) and isinstance(value.get("id"), str):
        yield value["id"]


def _variables(prompt: Any) -> list[Any]:
    variables = prompt.get("variables") if isinstance(prompt, Mapping) else None
    return list(variables.values()) if isinstance(variables, Mapping) else []


def _is_reference(item: Any) -> bool:
    if not isinstance(item, Mapping) or not isinstance(item.get("id"), str):
        return False
    kind = item.get("type")
    if isinstance(kind, str) and kind in _OWN_CONTENT:
        return not any(item.get(name) for name in _OWN_CONTENT[kind])
    return set(item) <= {"id", "type"}


def brought(answer: Mapping[str, Any]) -> Iterator[str]:
    """Ids of the parts of a decoded answer: its items, their containers and sounds."""
    yield from _text(answer.get("container_id"))
    for item in (*_mappings(answer.get("output")), *_mappings(answer.get("data"))):
        yield from _text(item.get("id"))
        yield from _text(item.get("container_id"))
    for choice in _mappings(answer.get("choices")):
        for message in _mappings([choice.get("message"), choice.get("delta")]):
            if isinstance(message.get("audio"), Mapping):
                yield from _text(message["audio"].get("id"))


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _text(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value:
        yield value
