"""/v1/containers and their files."""

from simulators.openai.account import Shelf, new_id, page
from simulators.openai.answers import Answer, Call, Route, Whole, pretty
from simulators.openai.containers import new_container
from simulators.openai.fields import JsonObject
from simulators.openai.uploaded import files


def _create(call: Call) -> Answer:
    call.fields.require("name")
    return Whole(pretty(new_container(call, call.fields.text("name") or "")))


def _listing(call: Call) -> Answer:
    return Whole(pretty(page(call.account.shelf("container").all(), call.query)))


def _one(call: Call) -> Answer:
    return Whole(pretty(_container(call)))


def _delete(call: Call) -> Answer:
    identifier = call.parameters["id"]
    answer = call.account.shelf("container").remove(identifier)
    call.account.drop("container.file", identifier)
    return Whole(pretty(answer))


def _create_file(call: Call) -> Answer:
    container = _container(call)
    content: bytes | bytearray
    if identifier := call.fields.text("file_id"):
        name = files(call.account).get(identifier)["filename"]
        content = call.account.contents[identifier]
    else:
        given = call.form.file("file")
        name, content = given.filename, given.content
    made = {
        "id": new_id("cfile_"),
        "object": "container.file",
        "created_at": call.created,
        "container_id": container["id"],
        "bytes": len(content),
        "path": f"/mnt/data/{name}",
        "source": "user",
    }
    call.account.contents[made["id"]] = content
    return Whole(pretty(_files(call).add(made)))


def _list_files(call: Call) -> Answer:
    return Whole(pretty(page(_files(call).all(), call.query)))


def _one_file(call: Call) -> Answer:
    return Whole(pretty(_files(call).get(call.parameters["file"])))


def _delete_file(call: Call) -> Answer:
    answer = _files(call).remove(call.parameters["file"])
    call.account.contents.pop(call.parameters["file"], None)
    return Whole(pretty(answer))


def _file_content(call: Call) -> Answer:
    file = _files(call).get(call.parameters["file"])
    return Whole(call.account.contents[file["id"]], content_type="application/octet-stream")


def _container(call: Call) -> JsonObject:
    return call.account.shelf("container").get(call.parameters["id"])


def _files(call: Call) -> Shelf:
    return call.account.shelf("container.file", _container(call)["id"])


_PATH = "/v1/containers"
ROUTES = (
    Route("POST", _PATH, _create, needs_model=False),
    Route("GET", _PATH, _listing, needs_model=False),
    Route("GET", _PATH + "/{id}", _one, needs_model=False),
    Route("DELETE", _PATH + "/{id}", _delete, needs_model=False),
    Route("POST", _PATH + "/{id}/files", _create_file, needs_model=False),
    Route("GET", _PATH + "/{id}/files", _list_files, needs_model=False),
    Route("GET", _PATH + "/{id}/files/{file}", _one_file, needs_model=False),
    Route("DELETE", _PATH + "/{id}/files/{file}", _delete_file, needs_model=False),
    Route("GET", _PATH + "/{id}/files/{file}/content", _file_content, needs_model=False),
)
