"""The endpoints that pass. A new one is one entry here; what is not here is refused, never passed on unmetered."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from proxy.errors import Refusal


class Metering(Enum):
    """What an answer of the endpoint costs."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"
    FREE = "free"
    """OpenAI charges nothing for it; it counts as a request only."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`template` is a path whose last segment may be `{id}`. `output_bound` is the request's member that bounds the
    tokens of an answer where the caller set none; None where an answer has no tokens or a bound of its own.
    `asks_usage`: streams report usage only when asked by `stream_options`."""

    name: str
    method: str
    template: str
    metering: Metering
    output_bound: str | None = None
    asks_usage: bool = False

    @property
    def takes_body(self) -> bool:
        return self.method == "POST"


CATALOGUE: Final = (
    Endpoint(
        "chat.completions", "POST", "/v1/chat/completions", Metering.CHAT, "max_completion_tokens", True
    ),
    Endpoint("completions", "POST", "/v1/completions", Metering.COMPLETIONS, None, True),
    Endpoint("responses", "POST", "/v1/responses", Metering.RESPONSES, "max_output_tokens"),
    Endpoint("embeddings", "POST", "/v1/embeddings", Metering.EMBEDDINGS),
    Endpoint("models", "GET", "/v1/models", Metering.FREE),
    Endpoint("models.retrieve", "GET", "/v1/models/{id}", Metering.FREE),
)

_EXACT: Final = {e.template: e for e in CATALOGUE if not e.template.endswith("{id}")}
_BY_PARENT: Final = {e.template.removesuffix("{id}"): e for e in CATALOGUE if e.template.endswith("{id}")}


def find(method: str, path: str) -> Endpoint:
    """The endpoint of a call. Raises Refusal: 404 for a path that is not in the catalogue, 405 for its method."""
    endpoint = _EXACT.get(path)
    if endpoint is None:
        parent, slash, last = path.rpartition("/")
        endpoint = _BY_PARENT.get(parent + slash) if last not in ("", ".", "..") else None
    if endpoint is None:
        raise Refusal(404, f"Invalid URL ({method} {path[:200]})", code="unknown_url")
    if endpoint.method != method:
        raise Refusal(
            405,
            f"Not allowed to {method[:20]} on {path[:200]} (HINT: use {endpoint.method})",
            code="method_not_supported",
            headers=((b"allow", endpoint.method.encode()),),
        )
    return endpoint
