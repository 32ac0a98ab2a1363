"""Which headers cross over. Pure."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

from proxy.upstream.request import Header

_HOP_BY_HOP = frozenset(
    (
        b"connection", b"keep-alive", b"te", b"trailer", b"trailers", b"transfer-encoding", b"upgrade",
        b"http2-settings", b"expect",
    )
)  # fmt: skip
_NOT_UPSTREAM = _HOP_BY_HOP | frozenset(
    (
        # Written anew for the upstream.
        b"host", b"content-length", b"accept-encoding",
        # The caller's credentials, and the account it thinks it has: upstream there is one account for all.
        b"authorization", b"cookie", b"api-key", b"x-api-key", b"openai-organization", b"openai-project",
        # Upstream all tenants are one account: what one of them repeats is no repetition of another's.
        b"idempotency-key",
        # Who and where the caller is.
        b"forwarded", b"via", b"x-real-ip",
    )
)  # fmt: skip
_NOT_UPSTREAM_PREFIXES = (b"proxy-", b"x-tollkeeper-", b"x-forwarded-")
# alt-svc would send our clients to the upstream's other doors, at our address. Whose account it is there is not
# their business.
_NOT_BACK = _HOP_BY_HOP | frozenset(
    (b"set-cookie", b"set-cookie2", b"alt-svc", b"openai-organization", b"openai-project")
)
# Which pages may call is for our door to say.
_NOT_BACK_PREFIXES = (b"proxy-", b"x-tollkeeper-", b"x-ratelimit-", b"access-control-")
# Usage is read from the body as it passes, so the body must come unencoded.
_IDENTITY: Header = (b"accept-encoding", b"identity")
_USUAL = frozenset((b"close",))


_MOST_NAMES: Final = 2048


def request_headers(raw: Iterable[Header], credentials: Sequence[Header]) -> list[Header]:
    """What goes upstream of a client's headers: all but what belongs to the caller or to the connection.

    Names come out in lower case; `credentials` are added, in place of any headers of the same name.
    """
    passed, named = _sorted_out(raw, _upwards)
    named |= {name.lower() for name, _ in credentials} - _NOT_UPSTREAM
    if named:
        passed = [header for header in passed if header[0] not in named]
    return [*passed, _IDENTITY, *credentials]


def response_headers(raw: Iterable[Header]) -> list[Header]:
    """What goes back to the client of an upstream's headers, names in lower case.

    The upstream's limits are not the client's, so they stay behind; its `x-request-id` becomes
    `x-upstream-request-id`. Content-Length passes: whoever changes the body must drop it.
    """
    passed, named = _sorted_out(raw, _back)
    return [header for header in passed if header[0] not in named] if named else passed


def _sorted_out(
    raw: Iterable[Header], fate: Callable[[bytes], bytes | None]
) -> tuple[list[Header], set[bytes]]:
    """What passes by its name, and what `Connection` names, which does not."""
    passed: list[Header] = []
    named: set[bytes] = set()
    for name, value in raw:
        known_as = fate(name)
        if known_as is not None:
            passed.append((known_as, value))
        elif name.lower() == b"connection":
            named.update(token.strip().lower() for token in value.split(b","))
    return passed, named - _HOP_BY_HOP - _USUAL


# The same names come again and again: what becomes of each is worked out once.
@lru_cache(maxsize=_MOST_NAMES)
def _upwards(name: bytes) -> bytes | None:
    """As what a client's header goes upstream; None for one that does not."""
    name = name.lower()
    return None if name in _NOT_UPSTREAM or name.startswith(_NOT_UPSTREAM_PREFIXES) else name


@lru_cache(maxsize=_MOST_NAMES)
def _back(name: bytes) -> bytes | None:
    """As what an upstream's header goes back."""
    name = name.lower()
    if name == b"x-request-id":
        return b"x-upstream-request-id"
    return None if name in _NOT_BACK or name.startswith(_NOT_BACK_PREFIXES) else name
