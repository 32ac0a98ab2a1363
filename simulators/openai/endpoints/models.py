"""/v1/models: those that everybody knows, and those that fine-tuning made."""

from simulators.openai.answers import Answer, Call, Route, Whole, pretty
from simulators.openai.catalogue import CREATED, MODELS, is_known
from simulators.openai.errors import ApiError
from simulators.openai.fields import JsonObject
from simulators.openai.switches import split_model
from simulators.openai.tuned_models import tuned_models


def _listing(call: Call) -> Answer:
    models = [_entry(model) for model in MODELS] + tuned_models(call.account).all()
    return Whole(pretty({"object": "list", "data": models}))


def _one(call: Call) -> Answer:
    model, _ = split_model(call.parameters["model"])
    found = tuned_models(call.account).find(model)
    if found is None and (model.startswith("ft:") or not is_known(model)):
        raise _unknown(model)
    return Whole(pretty(found or _entry(model)))


def _delete(call: Call) -> Answer:
    model = call.parameters["model"]
    if tuned_models(call.account).find(model) is not None:
        return Whole(pretty(tuned_models(call.account).remove(model, "model")))
    if model.startswith("ft:") or not is_known(model):
        raise _unknown(model)
    raise ApiError(403, "You have insufficient permissions for this operation.", param="model")


def _entry(model: str) -> JsonObject:
    return {"id": model, "object": "model", "created": CREATED, "owned_by": "system"}


def _unknown(model: str) -> ApiError:
    return ApiError(404, f"The model '{model}' does not exist", param="model", code="model_not_found")


ROUTES = (
    Route("GET", "/v1/models", _listing, needs_model=False),
    Route("GET", "/v1/models/{model}", _one, needs_model=False),
    Route("DELETE", "/v1/models/{model}", _delete, needs_model=False),
)
