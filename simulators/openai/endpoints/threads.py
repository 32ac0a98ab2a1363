"""/v1/threads and their messages."""

from simulators.openai.account import page
from simulators.openai.answers import Answer, Call, Route, Whole, pretty
from simulators.openai.threads import messages, new_message, new_thread, thread


def _create(call: Call) -> Answer:
    return Whole(pretty(new_thread(call, call.fields)))


def _one(call: Call) -> Answer:
    return Whole(pretty(thread(call)))


def _update(call: Call) -> Answer:
    found = thread(call)
    found["metadata"] = call.fields.object("metadata") or {}
    return Whole(pretty(found))


def _delete(call: Call) -> Answer:
    answer = call.account.shelf("thread").remove(call.parameters["id"])
    for kind in ("thread.message", "thread.run"):
        call.account.drop(kind, call.parameters["id"])
    return Whole(pretty(answer))


def _create_message(call: Call) -> Answer:
    return Whole(pretty(new_message(call, thread(call)["id"], call.fields.members)))


def _messages(call: Call) -> Answer:
    return Whole(pretty(page(messages(call, thread(call)["id"]).all(), call.query)))


def _message(call: Call) -> Answer:
    return Whole(pretty(messages(call, thread(call)["id"]).get(call.parameters["message"])))


def _update_message(call: Call) -> Answer:
    found = messages(call, thread(call)["id"]).get(call.parameters["message"])
    found["metadata"] = call.fields.object("metadata") or {}
    return Whole(pretty(found))


def _delete_message(call: Call) -> Answer:
    return Whole(pretty(messages(call, thread(call)["id"]).remove(call.parameters["message"])))


_MESSAGES = "/v1/threads/{id}/messages"
ROUTES = (
    Route("POST", "/v1/threads", _create, needs_model=False),
    Route("GET", "/v1/threads/{id}", _one, needs_model=False),
    Route("POST", "/v1/threads/{id}", _update, needs_model=False),
    Route("DELETE", "/v1/threads/{id}", _delete, needs_model=False),
    Route("POST", _MESSAGES, _create_message, needs_model=False),
    Route("GET", _MESSAGES, _messages, needs_model=False),
    Route("GET", _MESSAGES + "/{message}", _message, needs_model=False),
    Route("POST", _MESSAGES + "/{message}", _update_message, needs_model=False),
    Route("DELETE", _MESSAGES + "/{message}", _delete_message, needs_model=False),
)
