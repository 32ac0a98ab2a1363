"""How an exchange can fail."""

from dataclasses import dataclass
from typing import Literal

FailureKind = Literal[
    "connect",  # no connection within the bound, or refused
    "tls",  # the server's certificate or its TLS is not acceptable
    "timeout_first_byte",  # no complete response head in time
    "timeout_between_bytes",  # the body stood still
    "reset",  # the connection ended before the answer did
    "protocol",  # what came is not HTTP/1.1 we accept
    "pool_exhausted",  # all connections stayed busy
    "request_body",  # the source of the request's body broke off
]


@dataclass(frozen=True, slots=True)
class UpstreamFailure:
    """`sent`: a byte of the request may have reached the upstream, so that it may have acted on it.

    `response_started`: the sink was told of a response. `detail` is for logs and holds nothing of a body.
    """

    kind: FailureKind
    detail: str
    sent: bool
    response_started: bool
