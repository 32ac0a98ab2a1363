"""/v1/assistants."""

from simulators.openai.account import new_id, page
from simulators.openai.answers import Answer, Call, Route, Whole, pretty
from simulators.openai.fields import JsonObject

_CHANGEABLE = ("name", "description", "model", "instructions", "tools", "tool_resources", "metadata")


def _create(call: Call) -> Answer:
    assistant: JsonObject = {
        "id": new_id("asst_"),
        "object": "assistant",
        "created_at": call.created,
        "name": None,
        "description": None,
        "instructions": None,
        "tools": [],
        "tool_resources": {},
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "response_format": "auto",
    }
    _change(call, assistant)
    return Whole(pretty(call.account.shelf("assistant").add(assistant)))


def _listing(call: Call) -> Answer:
    return Whole(pretty(page(call.account.shelf("assistant").all(), call.query)))


def _one(call: Call) -> Answer:
    return Whole(pretty(_assistant(call)))


def _update(call: Call) -> Answer:
    assistant = _assistant(call)
    _change(call, assistant)
    return Whole(pretty(assistant))


def _delete(call: Call) -> Answer:
    return Whole(pretty(call.account.shelf("assistant").remove(call.parameters["id"])))


def _change(call: Call, assistant: JsonObject) -> None:
    members = call.fields.members
    # A switch in the model's name stays: it is for the runs.
    assistant |= {name: members[name] for name in _CHANGEABLE if members.get(name) is not None}


def _assistant(call: Call) -> JsonObject:
    return call.account.shelf("assistant").get(call.parameters["id"])


ROUTES = (
    Route("POST", "/v1/assistants", _create),
    Route("GET", "/v1/assistants", _listing, needs_model=False),
    Route("GET", "/v1/assistants/{id}", _one, needs_model=False),
    Route("POST", "/v1/assistants/{id}", _update, needs_model=False),
    Route("DELETE", "/v1/assistants/{id}", _delete, needs_model=False),
)
