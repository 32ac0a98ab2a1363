"""Who answers: the upstream's name, its origin, the credentials it knows us by, and a pool of connections to it."""

from collections.abc import MutableMapping
from typing import Any

from config.settings import Upstream
from proxy.errors import Refusal
from proxy.upstream.exchange import Exchange, Sink
from proxy.upstream.failure import FailureKind, UpstreamFailure
from proxy.upstream.headers import request_headers
from proxy.upstream.origin import Origin
from proxy.upstream.pool import Pool
from proxy.upstream.request import Header

_PREFIX = b"/v1"


class Route:
    """The one upstream of this process. Opens connections as they are needed."""

    def __init__(self, settings: Upstream) -> None:
        self._origin = Origin.parse(settings.base_url)
        self._pool = Pool(
            self._origin,
            connect_timeout=settings.connect_timeout,
            first_byte_timeout=settings.first_byte_timeout,
            between_bytes_timeout=settings.between_bytes_timeout,
        )
        key = settings.api_key
        self._credentials: list[Header] = []
        if key is not None:
            self._credentials.append(
                (b"authorization", b"Bearer " + key.get_secret_value().encode("latin-1"))
            )

    @property
    def name(self) -> str:
        """How usage records call it."""
        return self._origin.host

    def forward(self, scope: MutableMapping[str, Any], body: bytes | None, sink: Sink) -> Exchange:
        """Sends a client's request on; what comes of it goes to `sink`. Never blocks."""
        path: bytes = scope["raw_path"].partition(b"?")[0].removeprefix(_PREFIX)
        query: bytes = scope["query_string"]
        target = self._origin.target(path) + (b"?" + query if query else b"")
        headers = request_headers(scope["headers"], self._credentials)
        return self._pool.exchange(scope["method"].encode("ascii"), target, headers, body, sink)

    async def close(self) -> None:
        await self._pool.close()


_TIMEOUTS: frozenset[FailureKind] = frozenset({"timeout_first_byte", "timeout_between_bytes"})


def refusal_for(failure: UpstreamFailure) -> Refusal:
    """What the client is told when the upstream gave no answer at all."""
    if failure.kind in _TIMEOUTS:
        return Refusal(
            504, "The upstream did not answer in time.", type="server_error", code="upstream_timeout"
        )
    if failure.kind == "pool_exhausted":
        return Refusal(
            503,
            "All connections to the upstream are busy. Try again.",
            type="server_error",
            code="upstream_busy",
            headers=((b"retry-after", b"1"),),
        )
    return Refusal(
        502, "The upstream could not be reached.", type="server_error", code="upstream_unavailable"
    )
