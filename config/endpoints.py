"""Endpoints that an operator lets pass although nobody here knows what they cost or make: `POST /v1/skills*`."""

import re
from typing import Final, NamedTuple

_METHODS: Final = ("*", "GET", "POST", "PUT", "PATCH", "DELETE")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._~:@-]+\*?|\*")
_CLOSED: Final = (
    "organization", "organizations", "projects", "dashboard", "billing", "usage", "login", "me",
    "webhook_endpoints", "webhook_event_types", "safety",
)  # fmt: skip
_CLOSED_PATHS: Final = (("fine_tuning", "checkpoints"),)


class Allowed(NamedTuple):
    """What one pattern covers: `*` is any method, one whole segment, or at the end of a path all that may follow."""

    method: str
    path: str

    def covers(self, method: str, path: str) -> bool:
        """`path` is without percent-encoding, and its segments are neither empty nor dots."""
        wanted = "GET" if method == "HEAD" else method
        if wanted not in _METHODS or self.method not in ("*", wanted) or is_closed(path):
            return False
        steps = "[^/]+".join(re.escape(part) for part in self.path.removesuffix("*").split("*"))
        return re.fullmatch(steps + (".*" if self.path.endswith("*") else ""), path) is not None


def is_closed(path: str) -> bool:
    """Whether the path leads to the account itself: who may use it, what it spent, what happens in it. There is one
    account for all tenants, so these never pass."""
    segments = tuple(path.lower().split("/")[2:])
    return segments[:1] in {(name,) for name in _CLOSED} or segments[:2] in _CLOSED_PATHS


def read_allowed(text: str) -> Allowed:
    """Raises ValueError that names what is wrong."""
    method, _, path = text.partition(" ")
    path = path.strip()
    if method not in _METHODS:
        raise ValueError(
            f"{text!r}: begins with a method ({', '.join(_METHODS[1:])}) or *, then a space and a path"
        )
    segments = path.split("/")
    if segments[:2] != ["", "v1"] or len(segments) < 3:
        raise ValueError(f"{text!r}: the path begins with /v1/")
    for at, segment in enumerate(segments[2:], 3):
        last = at == len(segments)
        if not _SEGMENT.fullmatch(segment) or (segment.endswith("*") and segment != "*" and not last):
            raise ValueError(
                f"{text!r}: a * stands for a whole segment, or at the end for all that may follow"
            )
        if segment in (".", ".."):
            raise ValueError(f"{text!r}: a path has no segments of dots")
    if is_closed(path.rstrip("*")):
        raise ValueError(f"{text!r}: leads to the account itself, which is no tenant's, and never passes")
    return Allowed(method, path)
