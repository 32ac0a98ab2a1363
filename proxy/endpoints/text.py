"""Legacy completions, embeddings and models."""

from proxy.endpoints.endpoint import Endpoint, Metering

ENDPOINTS = (
    Endpoint(
        "completions", "POST", "/v1/completions", Metering.COMPLETIONS, asks_usage=True, needs_model=True
    ),
    Endpoint("embeddings", "POST", "/v1/embeddings", Metering.EMBEDDINGS, needs_model=True),
    Endpoint("models", "GET", "/v1/models"),
    Endpoint("models.retrieve", "GET", "/v1/models/{model}"),
)
