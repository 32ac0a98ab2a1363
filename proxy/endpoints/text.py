"""Legacy completions, embeddings, moderations and models."""

from proxy.endpoints.endpoint import Endpoint, Lists
from proxy.meter import meters
from proxy.ownership.mentions import is_tuned


def _is_shared(model: str) -> bool:
    return not is_tuned(model)


ENDPOINTS = (
    Endpoint("completions", "POST", "/v1/completions", meters.text, asks_usage=True, needs_model=True),
    Endpoint("embeddings", "POST", "/v1/embeddings", meters.text, needs_model=True),
    Endpoint("moderations", "POST", "/v1/moderations"),
    Endpoint("models", "GET", "/v1/models", lists=Lists("model", paged=False, shared=_is_shared)),
    Endpoint("models.retrieve", "GET", "/v1/models/{model}"),
    Endpoint("models.delete", "DELETE", "/v1/models/{model}"),
)
