"""Containers in which code runs, made by the caller or by a response that runs code."""

from simulators.openai.account import new_id
from simulators.openai.answers import Call
from simulators.openai.fields import JsonObject

IDLE_MINUTES = 20


def new_container(call: Call, name: str) -> JsonObject:
    return call.account.shelf("container").add(
        {
            "id": new_id("cntr_"),
            "object": "container",
            "created_at": call.created,
            "status": "running",
            "expires_after": {"anchor": "last_active_at", "minutes": IDLE_MINUTES},
            "last_active_at": call.created,
            "memory_limit": "1g",
            "name": name,
        }
    )
