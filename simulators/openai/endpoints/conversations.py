"""/v1/conversations and their items."""

from simulators.openai.account import new_id, page
from simulators.openai.answers import Answer, Call, Route, Whole, pretty
from simulators.openai.fields import JsonObject
from simulators.openai.stored_responses import as_item


def _create(call: Call) -> Answer:
    conversation = call.account.shelf("conversation").add(
        {
            "id": new_id("conv_"),
            "object": "conversation",
            "created_at": call.created,
            "metadata": call.fields.object("metadata") or {},
        }
    )
    _add_items(call, conversation["id"])
    return Whole(pretty(conversation))


def _one(call: Call) -> Answer:
    return Whole(pretty(_conversation(call)))


def _update(call: Call) -> Answer:
    conversation = _conversation(call)
    conversation["metadata"] = call.fields.object("metadata") or {}
    return Whole(pretty(conversation))


def _delete(call: Call) -> Answer:
    identifier = call.parameters["id"]
    answer = call.account.shelf("conversation").remove(identifier)
    call.account.drop("conversation_item", identifier)
    return Whole(pretty(answer))


def _items(call: Call) -> Answer:
    identifier = _conversation(call)["id"]
    return Whole(pretty(page(call.account.shelf("conversation_item", identifier).all(), call.query)))


def _create_items(call: Call) -> Answer:
    call.fields.require("items")
    added = _add_items(call, _conversation(call)["id"])
    return Whole(pretty(page(added, {"limit": "10000"}, order="asc")))


def _item(call: Call) -> Answer:
    shelf = call.account.shelf("conversation_item", _conversation(call)["id"])
    return Whole(pretty(shelf.get(call.parameters["item"])))


def _delete_item(call: Call) -> Answer:
    conversation = _conversation(call)
    call.account.shelf("conversation_item", conversation["id"]).remove(call.parameters["item"])
    return Whole(pretty(conversation))


def _conversation(call: Call) -> JsonObject:
    return call.account.shelf("conversation").get(call.parameters["id"])


def _add_items(call: Call, identifier: str) -> list[JsonObject]:
    shelf = call.account.shelf("conversation_item", identifier)
    return [shelf.add(as_item(item)) for item in call.fields.objects("items")]


ROUTES = (
    Route("POST", "/v1/conversations", _create, needs_model=False),
    Route("GET", "/v1/conversations/{id}", _one, needs_model=False),
    Route("POST", "/v1/conversations/{id}", _update, needs_model=False),
    Route("DELETE", "/v1/conversations/{id}", _delete, needs_model=False),
    Route("GET", "/v1/conversations/{id}/items", _items, needs_model=False),
    Route("POST", "/v1/conversations/{id}/items", _create_items, needs_model=False),
    Route("GET", "/v1/conversations/{id}/items/{item}", _item, needs_model=False),
    Route("DELETE", "/v1/conversations/{id}/items/{item}", _delete_item, needs_model=False),
)
