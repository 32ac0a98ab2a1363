"""Legacy completions, embeddings, moderations and models."""

from proxy.endpoints.endpoint import Endpoint
from proxy.meter import meters

ENDPOINTS = (
    Endpoint("completions", "POST", "/v1/completions", meters.text, asks_usage=True, needs_model=True),
    Endpoint("embeddings", "POST", "/v1/embeddings", meters.text, needs_model=True),
    Endpoint("moderations", "POST", "/v1/moderations"),
    Endpoint("models", "GET", "/v1/models"),
    Endpoint("models.retrieve", "GET", "/v1/models/{model}"),
)
