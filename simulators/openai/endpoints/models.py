"""GET /v1/models and /v1/models/{model}."""

from simulators.openai.answers import Answer, Call, Route, Whole, pretty
from simulators.openai.catalogue import CREATED, MODELS, is_known
from simulators.openai.errors import ApiError
from simulators.openai.fields import JsonObject
from simulators.openai.switches import split_model


def _listing(call: Call) -> Answer:
    return Whole(pretty({"object": "list", "data": [_entry(model) for model in MODELS]}))


def _one(call: Call) -> Answer:
    model, _ = split_model(call.parameters["model"])
    if not is_known(model):
        raise ApiError(404, f"The model '{model}' does not exist", param="model", code="model_not_found")
    return Whole(pretty(_entry(model)))


def _entry(model: str) -> JsonObject:
    return {"id": model, "object": "model", "created": CREATED, "owned_by": "system"}


ROUTES = (
    Route("GET", "/v1/models", _listing, needs_model=False),
    Route("GET", "/v1/models/{model}", _one, needs_model=False),
)
