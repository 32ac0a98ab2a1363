"""The endpoints that pass, and how a call finds its own. What is not here is refused, never passed on unmetered."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn
from urllib.parse import quote, unquote

from config.endpoints import Allowed, is_closed
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
_PLAIN: Final = re.compile(r"[A-Za-z0-9_:@~-]+(\.[A-Za-z0-9_:@~-]+)*")
"""A segment that no server takes for another."""
_UNQUOTED: Final = "!$&'()*+,;=:@"
"""Beside letters, digits and `-._~`; the rest of an id is percent-encoded, as OpenAI's SDKs do it."""


_HOW_TO_ALLOW: Final = (
    "This proxy can't meter that endpoint, so it does not pass; who runs the proxy may allow it with "
    "TOLLKEEPER_ALLOW_ENDPOINTS."
)


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
_NOWHERE: Final = _Node()


_FIXED: Final = {
    (each.method, each.template): Match(each, {}, each.template.encode())
    for each in CATALOGUE
    if "{" not in each.template
}
"""Calls whose path holds no id: most of them."""


def find(method: str, path: str, allowed: Sequence[Allowed] = ()) -> Match:
    """The endpoint of a call; `path` is percent-encoded. Raises Refusal: 404 for a path that is not in the catalogue,
    nor `allowed`, 405 for its method. HEAD goes by the endpoint that answers GET."""
    if (fixed := _FIXED.get((method, path))) is not None:
        return fixed
    node, ids, written = _locate(path)
    if not node.methods:
        return _find_unknown(method, path, allowed)
    endpoint = node.methods.get("GET" if method == "HEAD" else method)
    if endpoint is None:
        methods = ", ".join(sorted({*node.methods, *(("HEAD",) if "GET" in node.methods else ())}))
        # What looks like an id may be the name of an endpoint. It passes where a pattern names it letter by letter.
        found = _find_allowed(method, written, [each for each in allowed if each.path == written])
        hint = f". {_HOW_TO_ALLOW}" if unquote(written.rpartition("/")[2]) in ids.values() else ""
        return found or _refuse(
            Refusal(
                405,
                f"Not allowed to {method[:20]} on {path[:200]} (HINT: use {methods}){hint}",
                code="method_not_supported",
                headers=((b"allow", methods.encode()),),
            )
        )
    return Match(endpoint, ids, written.encode("ascii"))


def _locate(path: str) -> tuple[_Node, dict[str, str], str]:
    """Where a path ends, the ids in it, and how it is written; a place without methods for one that leads nowhere."""
    node = _ROOT
    ids: dict[str, str] = {}
    written = ""
    for encoded in path.split("/")[1:]:
        segment = unquote(encoded) if "%" in encoded else encoded
        following = node.named.get(segment)
        if following is None and node.kind is not None and _is_id(node.kind, segment):
            ids[node.kind] = segment
            following = node.any_id
            segment = quote(segment, safe=_UNQUOTED)
        if following is None:
            return _NOWHERE, ids, written
        written += "/" + segment
        node = following
    return node, ids, written


def _find_unknown(method: str, path: str, allowed: Sequence[Allowed]) -> Match:
    """A path that is not in the catalogue, where it is allowed all the same."""
    segments = [unquote(segment) for segment in path.split("/")[1:]]
    plain = "/" + "/".join(segments)
    refused = f"Invalid URL ({method} {path[:200]})"
    # Some servers take capital letters for small ones, so such a path is a metered endpoint with another face.
    if not all(_PLAIN.fullmatch(segment) for segment in segments) or _locate(plain.lower())[0].methods:
        raise Refusal(404, refused, code="unknown_url")
    if is_closed(plain):
        raise Refusal(
            404,
            f"{refused}. The account behind this proxy is not its clients' to manage.",
            code="unknown_url",
        )
    return _find_allowed(method, plain, allowed) or _refuse(
        Refusal(404, f"{refused}. {_HOW_TO_ALLOW}", code="unknown_url")
    )


def _find_allowed(method: str, path: str, allowed: Iterable[Allowed]) -> Match | None:
    for pattern in allowed:
        if pattern.covers(method, path):
            endpoint = Endpoint(pattern.path, method, pattern.path, takes="anything")
            return Match(endpoint, {}, path.encode("ascii"))
    return None


def _refuse(refusal: Refusal) -> NoReturn:
    raise refusal


def _is_id(kind: str, segment: str) -> bool:
    """Whether it can be an id, and can be read as nothing else by anybody: only a model's name may have parts."""
    if len(segment) > _LONGEST_ID or not segment.isprintable() or not _NOT_IN_IDS.isdisjoint(segment):
        return False
    parts = segment.split("/") if kind == "model" else [segment]
    return all(part not in ("", ".", "..") and "/" not in part for part in parts)
