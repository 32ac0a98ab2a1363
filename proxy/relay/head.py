"""The head of an answer: the upstream's headers that pass, and ours."""

from typing import Final

from proxy.quota.admission import Admitted, left
from proxy.quota.limits import NANO
from proxy.ticket import Ticket
from proxy.upstream.headers import response_headers
from proxy.upstream.request import Header

Headers = list[Header]

_MINUTE_RESET: Final = b"1m2s"
"""The oldest of the minute's buckets of 2 s counts in full, so all of a minute is free again after 62 s."""


def is_event_stream(headers: list[Header]) -> bool:
    return any(
        name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream")
        for name, value in headers
    )


def answer_headers(headers: list[Header], *, keep_length: bool) -> Headers:
    """What passes of the upstream's headers. The length passes only where the body is not changed."""
    passing = response_headers(headers)
    if keep_length:
        return passing
    return [header for header in passing if header[0] != b"content-length"]


def our_headers(ticket: Ticket, admitted: Admitted) -> Headers:
    """Ours: the request's id, what is left of the minute as OpenAI says it, and of the period."""
    scopes = ticket.scopes
    headers = [(b"x-request-id", ticket.request_id.encode())]
    for word, measure in ((b"requests", "r"), (b"tokens", "t")):
        minute = left(scopes, admitted, "minute", measure)  # type: ignore[arg-type]
        if minute is not None:
            headers += rate_headers(word, *minute)
    tokens = left(scopes, admitted, "period", "t")
    if tokens is not None:
        headers.append((b"x-tollkeeper-quota-remaining", b"%d" % tokens[1]))
    requests = left(scopes, admitted, "period", "r")
    if requests is not None:
        headers.append((b"x-tollkeeper-quota-remaining-requests", b"%d" % requests[1]))
    spend = left(scopes, admitted, "period", "m")
    if spend is not None:
        whole, rest = divmod(spend[1], NANO)
        headers.append((b"x-tollkeeper-quota-remaining-spend", b"%d.%09d" % (whole, rest)))
    return headers


def rate_headers(word: bytes, limit: int, remaining: int) -> Headers:
    """OpenAI's three headers of one limit per minute."""
    return [
        (b"x-ratelimit-limit-" + word, b"%d" % limit),
        (b"x-ratelimit-remaining-" + word, b"%d" % remaining),
        (b"x-ratelimit-reset-" + word, _MINUTE_RESET),
    ]
