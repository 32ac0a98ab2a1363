"""/v1/files."""

from simulators.openai.account import page
from simulators.openai.answers import Answer, Call, Route, Whole, pretty
from simulators.openai.uploaded import files, new_file

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")


def _create(call: Call) -> Answer:
    call.fields.require("purpose")
    purpose = call.fields.one_of("purpose", PURPOSES) or ""
    given = call.form.file("file")
    return Whole(pretty(new_file(call, given.filename, purpose, given.content)))


def _listing(call: Call) -> Answer:
    purpose = call.query.get("purpose")
    found = [file for file in files(call.account).all() if purpose in (None, file["purpose"])]
    return Whole(pretty(page(found, {"limit": "10000"} | dict(call.query))))


def _one(call: Call) -> Answer:
    return Whole(pretty(files(call.account).get(call.parameters["id"])))


def _delete(call: Call) -> Answer:
    return Whole(pretty(files(call.account).remove(call.parameters["id"], "file")))


def _content(call: Call) -> Answer:
    identifier = call.parameters["id"]
    files(call.account).get(identifier)
    return Whole(call.account.contents[identifier], content_type="application/octet-stream")


ROUTES = (
    Route("POST", "/v1/files", _create, needs_model=False),
    Route("GET", "/v1/files", _listing, needs_model=False),
    Route("GET", "/v1/files/{id}", _one, needs_model=False),
    Route("DELETE", "/v1/files/{id}", _delete, needs_model=False),
    Route("GET", "/v1/files/{id}/content", _content, needs_model=False),
)
