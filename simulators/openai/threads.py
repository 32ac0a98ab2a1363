"""Threads and the messages in them."""

from collections.abc import Mapping
from typing import Any

from simulators.openai.account import Shelf, new_id
from simulators.openai.answers import Call
from simulators.openai.fields import Fields, JsonObject


def thread(call: Call) -> JsonObject:
    return call.account.shelf("thread").get(call.parameters["id"])


def messages(call: Call, identifier: str) -> Shelf:
    return call.account.shelf("thread.message", identifier)


def new_thread(call: Call, fields: Fields) -> JsonObject:
    made = call.account.shelf("thread").add(
        {
            "id": new_id("thread_"),
            "object": "thread",
            "created_at": call.created,
            "metadata": fields.object("metadata") or {},
            "tool_resources": fields.object("tool_resources") or {},
        }
    )
    for message in fields.objects("messages"):
        new_message(call, made["id"], message)
    return made


def new_message(
    call: Call,
    thread_id: str,
    members: Mapping[str, Any],
    run: JsonObject | None = None,
    *,
    identifier: str | None = None,
) -> JsonObject:
    """`run` is what says it; `identifier` where it is known before."""
    content = members.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())
    shown: list[JsonObject] = [
        part | {"text": {"value": part["text"], "annotations": []}} if part.get("type") == "text" else part
        for part in parts
    ]
    return messages(call, thread_id).add(
        {
            "id": identifier or new_id("msg_"),
            "object": "thread.message",
            "created_at": call.created,
            "assistant_id": run["assistant_id"] if run else None,
            "thread_id": thread_id,
            "run_id": run["id"] if run else None,
            "role": members.get("role", "user"),
            "content": shown,
            "attachments": members.get("attachments") or [],
            "metadata": members.get("metadata") or {},
        }
    )


def tokens(call: Call, identifier: str) -> int:
    """Of all that was said."""
    said = messages(call, identifier).all()
    texts = [part["text"]["value"] for message in said for part in message["content"] if "text" in part]
    return sum(3 + call.vocabulary.count(text) for text in texts)
