"""Azure's paths for OpenAI's API, as the paths that stand in the catalogue. Pure.

Source: learn.microsoft.com, Azure OpenAI REST API reference. A deployment, which the path names, is a model here;
which version of the API is spoken upstream is the upstream's setting, not the client's.
"""

from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

_ROOT: Final = b"/openai"
_DEPLOYMENTS: Final = b"/deployments/"
_OF_A_DEPLOYMENT: Final = (b"chat", b"completions", b"embeddings", b"responses", b"images", b"audio")
"""Families whose calls name their model in the path."""
_REALTIME: Final = b"/realtime"


class Place(NamedTuple):
    """`path` from `/v1` on, percent-encoded as it came. `deployment` is empty where the path names none; it goes before
    the model that the body names, as with Azure."""

    path: bytes
    query: bytes
    deployment: str = ""


def as_openai(path: bytes, query: bytes) -> Place | None:
    """Where a call of Azure's stands with OpenAI; None for a path that is none of Azure's. A path that has no such
    place comes back as it would be called there, for the catalogue to refuse."""
    if not path.startswith(_ROOT + b"/"):
        return None
    rest = path.removeprefix(_ROOT)
    parts = [part for part in query.split(b"&") if part and not part.lower().startswith(b"api-version=")]
    if rest.startswith(b"/v1/"):
        return Place(rest, b"&".join(parts))
    if rest == _REALTIME:
        parts = [b"model=" + part[11:] if part.startswith(b"deployment=") else part for part in parts]
    kept = b"&".join(parts)
    if not rest.startswith(_DEPLOYMENTS):
        return Place(b"/v1" + rest, kept)
    name, _, call = rest.removeprefix(_DEPLOYMENTS).partition(b"/")
    if not name or call.partition(b"/")[0] not in _OF_A_DEPLOYMENT:
        return Place(b"/v1" + rest, kept)
    return Place(b"/v1/" + call, kept, unquote_to_bytes(name).decode("utf-8", "replace"))
