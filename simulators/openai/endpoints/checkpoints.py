"""/v1/fine_tuning/checkpoints/{checkpoint}/permissions: which projects may use a checkpoint."""

from simulators.openai.account import Shelf, new_id, page
from simulators.openai.answers import Answer, Call, Route, Whole, pretty


def _create(call: Call) -> Answer:
    call.fields.require("project_ids")
    added = [
        _permissions(call).add(
            {
                "id": new_id("cp_"),
                "object": "checkpoint.permission",
                "created_at": call.created,
                "project_id": str(project),
            }
        )
        for project in call.fields.array("project_ids") or ()
    ]
    return Whole(pretty(page(added, {"limit": "10000"}, order="asc")))


def _listing(call: Call) -> Answer:
    project = call.query.get("project_id")
    found = [each for each in _permissions(call).all() if project in (None, each["project_id"])]
    return Whole(pretty(page(found, call.query)))


def _delete(call: Call) -> Answer:
    answer = _permissions(call).remove(call.parameters["permission"], "checkpoint.permission")
    return Whole(pretty(answer))


def _permissions(call: Call) -> Shelf:
    return call.account.shelf("checkpoint.permission", call.parameters["checkpoint"])


_PATH = "/v1/fine_tuning/checkpoints/{checkpoint}/permissions"
ROUTES = (
    Route("POST", _PATH, _create, needs_model=False),
    Route("GET", _PATH, _listing, needs_model=False),
    Route("DELETE", _PATH + "/{permission}", _delete, needs_model=False),
)
