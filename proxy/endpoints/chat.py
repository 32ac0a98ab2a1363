"""Chat completions, and those that were stored."""

from proxy.endpoints.endpoint import Endpoint, Lists
from proxy.meter import meters

_ALL = "/v1/chat/completions"
_ONE = "/v1/chat/completions/{completion}"

ENDPOINTS = (
    Endpoint(
        "chat.completions",
        "POST",
        _ALL,
        meters.chat,
        output_bound="max_completion_tokens",
        asks_usage=True,
        creates="completion",
        needs_model=True,
    ),
    Endpoint("chat.completions.list", "GET", _ALL, lists=Lists("completion")),
    Endpoint("chat.completions.retrieve", "GET", _ONE),
    Endpoint("chat.completions.update", "POST", _ONE),
    Endpoint("chat.completions.delete", "DELETE", _ONE),
    Endpoint("chat.completions.messages", "GET", _ONE + "/messages"),
)
