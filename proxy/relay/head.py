"""The head of an answer: the upstream's headers that pass, and ours."""

from proxy.quota.admission import Admitted
from proxy.quota.headers import of_admission
from proxy.ticket import Ticket
from proxy.upstream.headers import response_headers
from proxy.upstream.request import Header

Headers = list[Header]


def is_event_stream(headers: list[Header]) -> bool:
    for name, value in headers:  # noqa: SIM110 - a generator costs more than it looks through
        if name == b"content-type" and value.lower().startswith(b"text/event-stream"):
            return True
    return False


def content_encoding(headers: list[Header]) -> bytes:
    """Empty for a body that is as it is."""
    values = [value.strip() for name, value in headers if name == b"content-encoding"]
    if not values:
        return b""
    return b", ".join(value for value in values if value and value.lower() != b"identity")


def answer_headers(headers: list[Header], *, keep_length: bool) -> Headers:
    """What passes of the upstream's headers. The length passes only where the body is not changed."""
    passing = response_headers(headers)
    if keep_length:
        return passing
    return [header for header in passing if header[0] != b"content-length"]


def our_headers(ticket: Ticket, admitted: Admitted) -> Headers:
    """Ours: the request's id, and what is left."""
    return [(b"x-request-id", ticket.request_id.encode()), *of_admission(ticket.scopes, admitted)]
