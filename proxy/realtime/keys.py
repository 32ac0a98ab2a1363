"""An answer that brings ephemeral keys of the upstream, with ours in their place. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson


class Unreadable(Exception):
    """The answer brings no key that we know to replace, so it must not pass."""


def replaced(body: bytes, seal: Callable[[str, int], str]) -> bytes:
    """`seal` makes our key from one of the upstream's and the second at which it expires. Every other byte stays.
    Raises Unreadable."""
    try:
        found = dict(_keys(orjson.loads(body)))
    except orjson.JSONDecodeError:
        raise Unreadable("not JSON") from None
    if not found:
        raise Unreadable("no key")
    for key, expires_at in found.items():
        mark = orjson.dumps(key)
        if mark not in body:
            raise Unreadable("a key that is written otherwise")
        body = body.replace(mark, orjson.dumps(seal(key, expires_at)))
    return body


def _keys(answer: Any) -> Iterator[tuple[str, int]]:
    """Values that stand beside the second at which they expire: at the top, or as a `client_secret`."""
    if isinstance(answer, Mapping):
        key, expires_at = answer.get("value"), answer.get("expires_at")
        if isinstance(key, str) and key and isinstance(expires_at, int):
            yield key, expires_at
        for member in answer.values():
            yield from _keys(member)
