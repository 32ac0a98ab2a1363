"""Where a call of OpenAI's API stands at an upstream. Pure."""

from typing import Final
from urllib.parse import quote

from config.upstreams.schema import Entry

_OF_A_DEPLOYMENT: Final = frozenset(
    (
        b"/chat/completions", b"/completions", b"/embeddings", b"/images/generations", b"/images/edits",
        b"/audio/speech", b"/audio/transcriptions", b"/audio/translations",
    )
)  # fmt: skip


def target(entry: Entry, path: bytes, query: bytes, model: str) -> bytes:
    """The path and query from the upstream's base on, of a `path` from `/v1` on. `model` is the upstream's name; with
    Azure that is the deployment. Paths: learn.microsoft.com, Azure OpenAI REST API reference."""
    if entry.kind != "azure":
        return path + _query(query)
    if entry.api_version == "v1":
        return b"/openai/v1" + path + _query(query)
    if path in _OF_A_DEPLOYMENT:
        path = b"/deployments/" + quote(model, safe="").encode() + path
    kept = [part for part in query.split(b"&") if part and not part.startswith(b"api-version=")]
    version = b"api-version=" + entry.api_version.encode()
    return b"/openai" + path + _query(b"&".join((*kept, version)))


def socket_target(entry: Entry, path: bytes, query: bytes, model: str | None) -> bytes:
    """As `target`, of a WebSocket, which names its model in the query: under `model` where that is not None, and with
    Azure's dated versions as the deployment."""
    dated = entry.kind == "azure" and entry.api_version != "v1"
    parts = []
    for part in query.split(b"&"):
        name, equals, value = part.partition(b"=")
        if name == b"model" and equals:
            named = value if model is None else quote(model, safe="").encode()
            part = (b"deployment=" if dated else b"model=") + named
        if part:
            parts.append(part)
    return target(entry, path, b"&".join(parts), "")


def _query(query: bytes) -> bytes:
    return b"?" + query if query else b""
