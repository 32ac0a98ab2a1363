"""What a call leaves upstream, and what it takes away, as its answer tells. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from ledger.storage import Freed, Stored
from proxy.endpoints.endpoint import Endpoint

_GONE: Final = (404, 410)
_PART_SECONDS: Final = 3600
"""An upload that is not completed, and its parts, are gone an hour after it was begun."""


def touches_storage(endpoint: Endpoint) -> bool:
    return endpoint.stores is not None or endpoint.frees is not None


def stored_by(endpoint: Endpoint, ids: Mapping[str, str], answer: Any, passed: int) -> tuple[Stored, ...]:
    """By an answer of success, decoded. `ids` stand in the path; `passed`: bytes of the body, for an answer that tells
    no size."""
    told = (
        answer.get("file") if isinstance(answer, Mapping) and endpoint.stores == "file_of_parts" else answer
    )
    if endpoint.stores is None or not isinstance(told, Mapping):
        return ()
    identifier = told.get("id")
    if not isinstance(identifier, str) or not identifier:
        return ()
    size = _count(told.get("bytes"))
    if size is None:
        size = passed
    match endpoint.stores:
        case "file" | "file_of_parts":
            return (Stored(identifier, "file", size, None, _count(told.get("expires_at"))),)
        case "part":
            made = _count(told.get("created_at"))
            until = None if made is None else made + _PART_SECONDS
            return (Stored(identifier, "upload_part", size, ids["upload"], until),)
        case "container_file":
            return (Stored(identifier, "container_file", size, ids["container"]),)


def freed_by(endpoint: Endpoint, ids: Mapping[str, str], status: int, answer: Any) -> tuple[Freed, ...]:
    """What the caller asked to be deleted and is no more; what the upstream does not know is not kept there."""
    if endpoint.frees is None:
        return ()
    refused = isinstance(answer, Mapping) and answer.get("deleted") is False
    gone = endpoint.method == "DELETE" and status in _GONE
    if gone or (200 <= status < 300 and not refused):
        return (Freed(ids[endpoint.frees], endpoint.frees),)
    return ()


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**53 else None
