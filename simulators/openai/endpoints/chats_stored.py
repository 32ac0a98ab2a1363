"""/v1/chat/completions that were stored: list, get, update, delete, messages."""

from simulators.openai.account import page
from simulators.openai.answers import Answer, Call, Route, Whole, pretty
from simulators.openai.stored_chats import chats


def _listing(call: Call) -> Answer:
    wanted = dict(call.query)
    model = wanted.get("model")
    metadata = {name[9:-1]: value for name, value in wanted.items() if name.startswith("metadata[")}
    found = [
        chat
        for chat in chats(call.account).all()
        if model in (None, chat["model"]) and metadata.items() <= chat["metadata"].items()
    ]
    return Whole(pretty(page(found, wanted, order="asc")))


def _one(call: Call) -> Answer:
    return Whole(pretty(chats(call.account).get(call.parameters["id"])))


def _update(call: Call) -> Answer:
    chat = chats(call.account).get(call.parameters["id"])
    chat["metadata"] = call.fields.object("metadata") or {}
    return Whole(pretty(chat))


def _delete(call: Call) -> Answer:
    return Whole(pretty(chats(call.account).remove(call.parameters["id"])))


def _messages(call: Call) -> Answer:
    identifier = call.parameters["id"]
    chats(call.account).get(identifier)
    return Whole(pretty(page(call.account.notes[identifier]["messages"], call.query, order="asc")))


ROUTES = (
    Route("GET", "/v1/chat/completions", _listing, needs_model=False),
    Route("GET", "/v1/chat/completions/{id}", _one, needs_model=False),
    Route("POST", "/v1/chat/completions/{id}", _update, needs_model=False),
    Route("DELETE", "/v1/chat/completions/{id}", _delete, needs_model=False),
    Route("GET", "/v1/chat/completions/{id}/messages", _messages, needs_model=False),
)
