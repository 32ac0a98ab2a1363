"""The endpoints that pass, and how a call finds its own. What is not here is refused, never passed on unmetered."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote

from proxy.endpoints import (
    assistants,
    audio,
    batches,
    chat,
    containers,
    evals,
    files,
    fine_tuning,
    images,
    realtime,
    responses,
    text,
    vector_stores,
    videos,
)
from proxy.endpoints.endpoint import OBJECTS, Endpoint
from proxy.errors import Refusal
from proxy.ownership.mentions import is_tuned

_FAMILIES: Final = (
    chat,
    text,
    responses,
    vector_stores,
    batches,
    fine_tuning,
    assistants,
    containers,
    evals,
    images,
    audio,
    files,
    realtime,
    videos,
)
CATALOGUE: Final[tuple[Endpoint, ...]] = tuple(
    endpoint for family in _FAMILIES for endpoint in family.ENDPOINTS
)

_LONGEST_ID: Final = 256
_NOT_IN_IDS: Final = frozenset("%\\?#")
_UNQUOTED: Final = "!$&'()*+,;=:@"
"""Beside letters, digits and `-._~`; the rest of an id is percent-encoded, as OpenAI's SDKs do it."""


@dataclass(frozen=True, slots=True)
class Match:
    """An endpoint, and the ids that stand in the path: kind -> id. `path` is what goes upstream: the same path, written
    in the one way that everybody reads alike."""

    endpoint: Endpoint
    ids: Mapping[str, str]
    path: bytes

    @property
    def owned(self) -> set[str]:
        """Those of the ids that must be the caller's own."""
        return {
            identifier
            for kind, identifier in self.ids.items()
            if kind in OBJECTS
            and (kind != "model" or is_tuned(identifier) or self.endpoint.method == "DELETE")
        }


@dataclass(slots=True)
class _Node:
    """One segment of the paths: what follows it by name, what follows it as an id, and what ends with it."""

    named: dict[str, "_Node"] = field(default_factory=dict)
    kind: str | None = None
    any_id: "_Node | None" = None
    methods: dict[str, Endpoint] = field(default_factory=dict)


def _tree(endpoints: Iterable[Endpoint]) -> _Node:
    root = _Node()
    for endpoint in endpoints:
        node = root
        for segment in endpoint.template.split("/")[1:]:
            if segment.startswith("{"):
                kind = segment[1:-1]
                assert node.kind in (None, kind), f"{endpoint.template} names an id twice"
                node.kind, node.any_id = kind, node.any_id or _Node()
                node = node.any_id
            else:
                node = node.named.setdefault(segment, _Node())
        assert endpoint.method not in node.methods, f"{endpoint.method} {endpoint.template} stands here twice"
        node.methods[endpoint.method] = endpoint
    return root


_ROOT: Final = _tree(CATALOGUE)


def find(method: str, path: str) -> Match:
    """The endpoint of a call; `path` is percent-encoded. Raises Refusal: 404 for a path that is not in the catalogue,
    405 for its method. HEAD goes by the endpoint that answers GET."""
    node: _Node | None = _ROOT
    ids: dict[str, str] = {}
    written = ""
    for encoded in path.split("/")[1:]:
        assert node is not None
        segment = unquote(encoded) if "%" in encoded else encoded
        following = node.named.get(segment)
        if following is None and node.kind is not None and _is_id(node.kind, segment):
            ids[node.kind] = segment
            following = node.any_id
            segment = quote(segment, safe=_UNQUOTED)
        written += "/" + segment
        node = following
        if node is None:
            break
    if node is None or not node.methods:
        raise Refusal(404, f"Invalid URL ({method} {path[:200]})", code="unknown_url")
    endpoint = node.methods.get("GET" if method == "HEAD" else method)
    if endpoint is None:
        allowed = ", ".join(sorted({*node.methods, *(("HEAD",) if "GET" in node.methods else ())}))
        raise Refusal(
            405,
            f"Not allowed to {method[:20]} on {path[:200]} (HINT: use {allowed})",
            code="method_not_supported",
            headers=((b"allow", allowed.encode()),),
        )
    return Match(endpoint, ids, written.encode("ascii"))


def _is_id(kind: str, segment: str) -> bool:
    """Whether it can be an id, and can be read as nothing else by anybody: only a model's name may have parts."""
    if len(segment) > _LONGEST_ID or not segment.isprintable() or not _NOT_IN_IDS.isdisjoint(segment):
        return False
    parts = segment.split("/") if kind == "model" else [segment]
    return all(part not in ("", ".", "..") and "/" not in part for part in parts)
