"""What a client's wish for a WebSocket says: who it is, which model, and what goes on to the upstream. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, unquote_plus

from proxy.errors import Refusal
from proxy.identity.credentials import bearer
from proxy.relay.asgi import Headers, Scope
from proxy.upstream.request import Header

_KEY_PROTOCOL: Final = "openai-insecure-api-key."
"""How a browser, which can set no headers, brings its key."""
_KEY_PARAMETER: Final = "api-key"
"""How it brings one to Azure."""
_NOT_UPSTREAM: Final = frozenset({_KEY_PARAMETER, "deployment"})
"""A deployment is a model by another name, which one upstream alone knows: it could stand beside what is paid for."""
_PROJECT_PROTOCOL: Final = "openai-project."
_ACCOUNT_PROTOCOLS: Final = (_KEY_PROTOCOL, _PROJECT_PROTOCOL, "openai-organization.")
_LONGEST: Final = 256


@dataclass(frozen=True, slots=True)
class Handshake:
    """`path` is from `/v1` on. `model` and `call` are empty where the query names none. `headers` with the project that
    a browser named, `subprotocols` without those that are not the upstream's business."""

    path: bytes
    query: bytes
    headers: list[Header]
    subprotocols: list[str]
    credential: str
    model: str
    call: str
    transcribes: bool


def read(scope: Scope) -> Handshake:
    """Raises Refusal: 404 for another path than that of sessions, 401 without a credential, 400 for what can't be a
    model."""
    path = scope["path"]
    if path != "/v1/realtime":
        raise Refusal(404, f"Invalid URL (GET {path[:200]})", code="unknown_url")
    offered: list[str] = scope["subprotocols"]
    headers = list(scope["headers"])
    project = _after(_PROJECT_PROTOCOL, offered)
    if project is not None and not any(name == b"openai-project" for name, _ in headers):
        headers.append((b"openai-project", project.encode("latin-1", "replace")))
    query: bytes = scope["query_string"]
    named = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    query = b"&".join(part for part in query.split(b"&") if _name(part) not in _NOT_UPSTREAM)
    return Handshake(
        b"/realtime",
        query,
        headers,
        [each for each in offered if not each.startswith(_ACCOUNT_PROTOCOLS)],
        _credential(headers, _one(named, _KEY_PARAMETER), offered),
        _one(named, "model"),
        _one(named, "call_id"),
        _one(named, "intent") == "transcription",
    )


def _credential(headers: Headers, named: str, offered: Sequence[str]) -> str:
    if any(name in (b"authorization", b"api-key") for name, _ in headers):
        return bearer(headers)
    return named or _after(_KEY_PROTOCOL, offered) or bearer(headers)


def _name(part: bytes) -> str:
    """Of one part of a query, as it is meant."""
    return unquote_plus(part.partition(b"=")[0].decode("latin-1")).lower()


def _after(prefix: str, offered: Sequence[str]) -> str | None:
    return next((each.removeprefix(prefix) for each in offered if each.startswith(prefix)), None)


def _one(named: dict[str, list[str]], name: str) -> str:
    values = named.get(name, [""])
    if len(values) > 1 or len(values[0]) > _LONGEST or not values[0].isprintable():
        raise Refusal(400, f"Invalid value for '{name}' in the query.", code="invalid_value", param=name)
    return values[0]
