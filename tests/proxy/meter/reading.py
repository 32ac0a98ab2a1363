"""Usage of whole JSON answers, as the proxy reads it."""

from ledger.usage import Usage
from proxy.meter.answer import JsonAnswer


def usage_of_body(body: bytes) -> Usage | None:
    answer = JsonAnswer()
    answer.feed(body)
    return answer.usage
