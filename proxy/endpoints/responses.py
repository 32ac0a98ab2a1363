"""Responses and conversations."""

from proxy.endpoints.endpoint import Endpoint
from proxy.meter import meters

_RESPONSE = "/v1/responses/{response}"
_CONVERSATION = "/v1/conversations/{conversation}"

_OUTPUT = (("output.id", "part"), ("output.container_id", "part"))
"""What an answer has brought that was made in the background."""

ENDPOINTS = (
    Endpoint(
        "responses",
        "POST",
        "/v1/responses",
        meters.responses,
        output_bound="max_output_tokens",
        creates="response",
        defers="response",
        needs_model=True,
    ),
    Endpoint("responses.compact", "POST", "/v1/responses/compact", meters.text, needs_model=True),
    Endpoint("responses.input_tokens", "POST", "/v1/responses/input_tokens"),
    Endpoint("responses.retrieve", "GET", _RESPONSE, polls="response", brings=_OUTPUT),
    Endpoint("responses.delete", "DELETE", _RESPONSE),
    Endpoint("responses.cancel", "POST", _RESPONSE + "/cancel", polls="response", brings=_OUTPUT),
    Endpoint("responses.input_items", "GET", _RESPONSE + "/input_items"),
    Endpoint("conversations", "POST", "/v1/conversations", creates="conversation"),
    Endpoint("conversations.retrieve", "GET", _CONVERSATION),
    Endpoint("conversations.update", "POST", _CONVERSATION),
    Endpoint("conversations.delete", "DELETE", _CONVERSATION),
    Endpoint("conversations.items.create", "POST", _CONVERSATION + "/items", brings=(("data.id", "part"),)),
    Endpoint("conversations.items", "GET", _CONVERSATION + "/items"),
    Endpoint("conversations.items.retrieve", "GET", _CONVERSATION + "/items/{item}"),
    Endpoint("conversations.items.delete", "DELETE", _CONVERSATION + "/items/{item}"),
)
