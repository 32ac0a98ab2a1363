"""Which headers cross over. Pure."""

from collections.abc import Iterable, Sequence

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


def request_headers(raw: Iterable[Header], credentials: Sequence[Header]) -> list[Header]:
    """What goes upstream of a client's headers: all but what belongs to the caller or to the connection.

    Names come out in lower case; `credentials` are added, in place of any headers of the same name.
    """
    headers = [(name.lower(), value) for name, value in raw]
    dropped = _NOT_UPSTREAM | _named_by_connection(headers) | {name.lower() for name, _ in credentials}
    passed = [
        header
        for header in headers
        if header[0] not in dropped and not header[0].startswith(_NOT_UPSTREAM_PREFIXES)
    ]
    return [*passed, _IDENTITY, *credentials]


def response_headers(raw: Iterable[Header]) -> list[Header]:
    """What goes back to the client of an upstream's headers, names in lower case.

    The upstream's limits are not the client's, so they stay behind; its `x-request-id` becomes
    `x-upstream-request-id`. Content-Length passes: whoever changes the body must drop it.
    """
    headers = [(name.lower(), value) for name, value in raw]
    dropped = _NOT_BACK | _named_by_connection(headers)
    return [
        (b"x-upstream-request-id", value) if name == b"x-request-id" else (name, value)
        for name, value in headers
        if name not in dropped and not name.startswith(_NOT_BACK_PREFIXES)
    ]


def _named_by_connection(headers: Iterable[Header]) -> frozenset[bytes]:
    return frozenset(
        token.strip().lower()
        for name, value in headers
        if name == b"connection"
        for token in value.split(b",")
    )
