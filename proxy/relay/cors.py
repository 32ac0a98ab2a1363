"""Pages of other origins that may call the proxy from a browser (the Fetch standard's CORS protocol).

No answer allows credentials: a page sends its key itself, and no cookie opens anything here.
"""

import re
from collections.abc import Collection
from typing import Final

from proxy.relay.asgi import Headers, Scope, Send
from proxy.relay.client import client_of

_EXPOSED: Final = ", ".join(
    (
        "x-request-id",
        "x-upstream-request-id",
        "retry-after",
        *(
            f"x-ratelimit-{what}-{of}"
            for what in ("limit", "remaining", "reset")
            for of in ("requests", "tokens")
        ),
        "x-tollkeeper-quota-remaining",
        "openai-processing-ms",
        "openai-version",
        "location",
    )
)
_METHODS: Final = b"GET, HEAD, POST, DELETE"
_NAMES: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+(\s*,\s*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*")
_LONGEST_NAMES: Final = 4096
_KEPT_SECONDS: Final = b"600"


class Cors:
    def __init__(self, origins: Collection[str]) -> None:
        """`origins` as browsers write them, in small letters; `*` for all."""
        self._all = "*" in origins
        self._origins = frozenset(origin.encode("ascii") for origin in origins)

    async def answered(self, scope: Scope, send: Send) -> bool:
        """Whether this was a browser's question whether a page may call; it is answered then."""
        headers = self._permission(scope)
        if headers is None:
            return False
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return True

    def allow(self, scope: Scope) -> None:
        """Adds to the answer what a browser needs to show it to its page."""
        ours = [] if self._all else [(b"vary", b"origin")]
        origin = self._allowed(scope)
        if origin is not None:
            ours += [
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", _EXPOSED.encode()),
            ]
        client_of(scope).adds(ours)

    def _permission(self, scope: Scope) -> Headers | None:
        """None for what is no such question, or comes from a page that may not."""
        if scope["method"] != "OPTIONS":
            return None
        asked = dict(scope["headers"])
        origin = self._allowed(scope)
        if origin is None or b"access-control-request-method" not in asked:
            return None
        headers = [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-max-age", _KEPT_SECONDS),
            (b"vary", b"origin, access-control-request-method, access-control-request-headers"),
        ]
        names = asked.get(b"access-control-request-headers", b"").strip()
        if len(names) <= _LONGEST_NAMES and _NAMES.fullmatch(names):
            headers.append((b"access-control-allow-headers", names))
        return headers

    def _allowed(self, scope: Scope) -> bytes | None:
        """What an answer allows; None where it allows nothing."""
        given = [value for name, value in scope["headers"] if name == b"origin"]
        if len(given) != 1:
            return None
        if self._all:
            return b"*"
        return given[0] if given[0].lower() in self._origins else None
