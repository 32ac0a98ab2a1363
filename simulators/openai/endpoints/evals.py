"""/v1/evals: what is to be evaluated, and by which criteria."""

from simulators.openai.account import Shelf, new_id, page
from simulators.openai.answers import Answer, Call, Route, Whole, pretty
from simulators.openai.fields import JsonObject


def _create(call: Call) -> Answer:
    fields = call.fields
    for name in ("data_source_config", "testing_criteria"):
        fields.require(name)
    given = fields.object("data_source_config") or {}
    made = evals(call).add(
        {
            "id": new_id("eval_"),
            "object": "eval",
            "created_at": call.created,
            "name": fields.text("name") or "",
            "data_source_config": {"type": given.get("type"), "schema": given.get("item_schema") or {}},
            "testing_criteria": fields.objects("testing_criteria"),
            "metadata": fields.object("metadata") or {},
        }
    )
    return Whole(pretty(made))


def _listing(call: Call) -> Answer:
    return Whole(pretty(page(evals(call).all(), call.query, order="asc")))


def _one(call: Call) -> Answer:
    return Whole(pretty(one_eval(call)))


def _update(call: Call) -> Answer:
    found = one_eval(call)
    found |= {name: call.fields.get(name) for name in ("name", "metadata") if name in call.fields.members}
    return Whole(pretty(found))


def _delete(call: Call) -> Answer:
    identifier = call.parameters["id"]
    evals(call).remove(identifier)
    call.account.drop("eval.run", identifier)
    return Whole(pretty({"object": "eval.deleted", "deleted": True, "eval_id": identifier}))


def evals(call: Call) -> Shelf:
    return call.account.shelf("eval")


def one_eval(call: Call) -> JsonObject:
    return evals(call).get(call.parameters["id"])


ROUTES = (
    Route("POST", "/v1/evals", _create, needs_model=False),
    Route("GET", "/v1/evals", _listing, needs_model=False),
    Route("GET", "/v1/evals/{id}", _one, needs_model=False),
    Route("POST", "/v1/evals/{id}", _update, needs_model=False),
    Route("DELETE", "/v1/evals/{id}", _delete, needs_model=False),
)
