"""/v1/uploads: a file that comes in parts."""

from simulators.openai.account import new_id
from simulators.openai.answers import Answer, Call, Route, Whole, pretty
from simulators.openai.errors import ApiError
from simulators.openai.fields import JsonObject
from simulators.openai.uploaded import new_file

LIFETIME = 3600  # seconds


def _create(call: Call) -> Answer:
    fields = call.fields
    for name in ("filename", "purpose", "mime_type"):
        fields.require(name)
    upload = {
        "id": new_id("upload_"),
        "object": "upload",
        "bytes": fields.integer("bytes", 0),
        "created_at": call.created,
        "expires_at": call.created + LIFETIME,
        "filename": fields.text("filename"),
        "purpose": fields.text("purpose"),
        "status": "pending",
        "file": None,
    }
    return Whole(pretty(call.account.shelf("upload").add(upload)))


def _part(call: Call) -> Answer:
    upload = _pending(call)
    made = {
        "id": new_id("part_"),
        "object": "upload.part",
        "created_at": call.created,
        "upload_id": upload["id"],
    }
    call.account.shelf("upload.part", upload["id"]).add(made)
    call.account.contents[made["id"]] = call.form.file("data").content
    return Whole(pretty(made))


def _complete(call: Call) -> Answer:
    upload = _pending(call)
    shelf = call.account.shelf("upload.part", upload["id"])
    parts = [shelf.get(str(identifier))["id"] for identifier in call.fields.array("part_ids") or ()]
    size = sum(len(call.account.contents[identifier]) for identifier in parts)
    if size != upload["bytes"]:
        raise ApiError(400, f"Expected {upload['bytes']} bytes in all parts, but got {size}.", param="bytes")
    content = bytearray()
    for identifier in parts:
        content += call.account.contents.pop(identifier)
    _forget_parts(call, upload["id"])
    upload["status"] = "completed"
    upload["file"] = new_file(call, upload["filename"], upload["purpose"], content)
    return Whole(pretty(upload))


def _cancel(call: Call) -> Answer:
    upload = _pending(call)
    _forget_parts(call, upload["id"])
    upload["status"] = "cancelled"
    return Whole(pretty(upload))


def _forget_parts(call: Call, identifier: str) -> None:
    for part in call.account.shelf("upload.part", identifier).all():
        call.account.contents.pop(part["id"], None)
    call.account.drop("upload.part", identifier)


def _pending(call: Call) -> JsonObject:
    upload = call.account.shelf("upload").get(call.parameters["id"])
    if upload["status"] != "pending":
        raise ApiError(400, f"Upload '{upload['id']}' is {upload['status']}.")
    return upload


ROUTES = (
    Route("POST", "/v1/uploads", _create, needs_model=False),
    Route("POST", "/v1/uploads/{id}/parts", _part, needs_model=False),
    Route("POST", "/v1/uploads/{id}/complete", _complete, needs_model=False),
    Route("POST", "/v1/uploads/{id}/cancel", _cancel, needs_model=False),
)
