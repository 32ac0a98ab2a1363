"""/v1/vector_stores, their files, batches of files, and search."""

from simulators.openai.account import Shelf, new_id, page
from simulators.openai.answers import Answer, Call, Route, Whole, pretty
from simulators.openai.fields import JsonObject
from simulators.openai.uploaded import files


def _create(call: Call) -> Answer:
    store = call.account.shelf("vector_store").add(
        {
            "id": new_id("vs_"),
            "object": "vector_store",
            "created_at": call.created,
            "name": call.fields.text("name"),
            "description": None,
            "usage_bytes": 0,
            "status": "completed",
            "expires_after": call.fields.object("expires_after"),
            "expires_at": None,
            "last_active_at": call.created,
            "metadata": call.fields.object("metadata") or {},
        }
    )
    for identifier in call.fields.array("file_ids") or ():
        _attach(call, store["id"], str(identifier))
    return _shown(call, store)


def _listing(call: Call) -> Answer:
    stores = [_with_counts(call, store) for store in call.account.shelf("vector_store").all()]
    return Whole(pretty(page(stores, call.query)))


def _one(call: Call) -> Answer:
    return _shown(call, _store(call))


def _update(call: Call) -> Answer:
    store = _store(call)
    store |= {name: call.fields.get(name) for name in ("name", "metadata") if name in call.fields.members}
    return _shown(call, store)


def _delete(call: Call) -> Answer:
    identifier = call.parameters["id"]
    answer = call.account.shelf("vector_store").remove(identifier)
    call.account.drop("vector_store.file", identifier)
    call.account.drop("vector_store.file_batch", identifier)
    return Whole(pretty(answer))


def _search(call: Call) -> Answer:
    query, store = call.fields.require("query"), _store(call)
    found = [
        {
            "file_id": file["id"],
            "filename": files(call.account).get(file["id"])["filename"],
            "score": 0.5,
            "attributes": file["attributes"],
            "content": [{"type": "text", "text": _text(call, file["id"])[:800]}],
        }
        for file in _files(call, store["id"]).all()
        if files(call.account).find(file["id"])
    ]
    body = {
        "object": "vector_store.search_results.page",
        "search_query": query if isinstance(query, list) else [query],
        "data": found[: call.fields.integer("max_num_results", 1, 50) or 10],
        "has_more": False,
        "next_page": None,
    }
    return Whole(pretty(body))


def _create_file(call: Call) -> Answer:
    call.fields.require("file_id")
    file = _attach(call, _store(call)["id"], call.fields.text("file_id") or "")
    file["attributes"] = call.fields.object("attributes") or {}
    return Whole(pretty(file))


def _list_files(call: Call) -> Answer:
    return Whole(pretty(page(_files(call, _store(call)["id"]).all(), call.query)))


def _one_file(call: Call) -> Answer:
    return Whole(pretty(_files(call, _store(call)["id"]).get(call.parameters["file"])))


def _update_file(call: Call) -> Answer:
    file = _files(call, _store(call)["id"]).get(call.parameters["file"])
    file["attributes"] = call.fields.object("attributes") or {}
    return Whole(pretty(file))


def _delete_file(call: Call) -> Answer:
    return Whole(pretty(_files(call, _store(call)["id"]).remove(call.parameters["file"])))


def _file_content(call: Call) -> Answer:
    file = _files(call, _store(call)["id"]).get(call.parameters["file"])
    part = {"type": "text", "text": _text(call, file["id"])}
    body = {"object": "vector_store.file_content.page", "data": [part], "has_more": False, "next_page": None}
    return Whole(pretty(body))


def _create_batch(call: Call) -> Answer:
    store = _store(call)
    given = call.fields.array("file_ids") or [item.get("file_id") for item in call.fields.objects("files")]
    attached = [_attach(call, store["id"], str(identifier)) for identifier in given]
    batch = {
        "id": new_id("vsfb_"),
        "object": "vector_store.file_batch",
        "created_at": call.created,
        "status": "completed",
        "vector_store_id": store["id"],
        "file_counts": _counts(len(attached)),
    }
    call.account.notes[batch["id"]]["files"] = [file["id"] for file in attached]
    return Whole(pretty(_batches(call, store["id"]).add(batch)))


def _one_batch(call: Call) -> Answer:
    return Whole(pretty(_batches(call, _store(call)["id"]).get(call.parameters["batch"])))


def _batch_files(call: Call) -> Answer:
    store = _store(call)
    batch = _batches(call, store["id"]).get(call.parameters["batch"])
    found = [_files(call, store["id"]).find(file) for file in call.account.notes[batch["id"]]["files"]]
    return Whole(pretty(page([file for file in found if file], call.query)))


def _store(call: Call) -> JsonObject:
    return call.account.shelf("vector_store").get(call.parameters["id"])


def _files(call: Call, store: str) -> Shelf:
    return call.account.shelf("vector_store.file", store)


def _batches(call: Call, store: str) -> Shelf:
    return call.account.shelf("vector_store.file_batch", store)


def _attach(call: Call, store: str, identifier: str) -> JsonObject:
    file = files(call.account).get(identifier)
    return _files(call, store).add(
        {
            "id": identifier,
            "object": "vector_store.file",
            "created_at": call.created,
            "usage_bytes": file["bytes"],
            "vector_store_id": store,
            "status": "completed",
            "last_error": None,
            "attributes": {},
            "chunking_strategy": {
                "type": "static",
                "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
            },
        }
    )


def _text(call: Call, identifier: str) -> str:
    return bytes(call.account.contents.get(identifier, b"")[:100_000]).decode("utf-8", "replace")


def _counts(completed: int) -> JsonObject:
    return {"in_progress": 0, "completed": completed, "failed": 0, "cancelled": 0, "total": completed}


def _with_counts(call: Call, store: JsonObject) -> JsonObject:
    held = _files(call, store["id"]).all()
    size = sum(file["usage_bytes"] for file in held)
    return store | {"file_counts": _counts(len(held)), "usage_bytes": size}


def _shown(call: Call, store: JsonObject) -> Answer:
    return Whole(pretty(_with_counts(call, store)))


_PATH = "/v1/vector_stores"
ROUTES = (
    Route("POST", _PATH, _create, needs_model=False),
    Route("GET", _PATH, _listing, needs_model=False),
    Route("GET", _PATH + "/{id}", _one, needs_model=False),
    Route("POST", _PATH + "/{id}", _update, needs_model=False),
    Route("DELETE", _PATH + "/{id}", _delete, needs_model=False),
    Route("POST", _PATH + "/{id}/search", _search, needs_model=False),
    Route("POST", _PATH + "/{id}/files", _create_file, needs_model=False),
    Route("GET", _PATH + "/{id}/files", _list_files, needs_model=False),
    Route("GET", _PATH + "/{id}/files/{file}", _one_file, needs_model=False),
    Route("POST", _PATH + "/{id}/files/{file}", _update_file, needs_model=False),
    Route("DELETE", _PATH + "/{id}/files/{file}", _delete_file, needs_model=False),
    Route("GET", _PATH + "/{id}/files/{file}/content", _file_content, needs_model=False),
    Route("POST", _PATH + "/{id}/file_batches", _create_batch, needs_model=False),
    Route("GET", _PATH + "/{id}/file_batches/{batch}", _one_batch, needs_model=False),
    Route("POST", _PATH + "/{id}/file_batches/{batch}/cancel", _one_batch, needs_model=False),
    Route("GET", _PATH + "/{id}/file_batches/{batch}/files", _batch_files, needs_model=False),
)
