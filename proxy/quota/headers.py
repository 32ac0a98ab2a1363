"""What is left, in an answer's headers: of the minute as OpenAI says it, and of the period."""

from typing import Final

from proxy.quota.admission import Admitted, Refused, left
from proxy.quota.limits import NANO, Measure, Scope

Headers = list[tuple[bytes, bytes]]

_MINUTE_RESET: Final = b"1m2s"
"""The oldest of the minute's buckets of 2 s counts in full, so all of a minute is free again after 62 s."""
_WORDS: Final[dict[Measure, bytes]] = {"r": b"requests", "t": b"tokens"}


def of_admission(scopes: tuple[Scope, ...], admitted: Admitted) -> Headers:
    """For each limit the scope that has least left of it; nothing for what nobody limits."""
    headers: Headers = []
    for measure in _WORDS:
        minute = left(scopes, admitted, "minute", measure)
        if minute is not None:
            headers += _minute(measure, *minute)
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


def of_refusal(refused: Refused) -> Headers:
    """Of the limit that refused."""
    kind, remaining = refused.kind, max(0, refused.limit - refused.used)
    if kind.window == "minute" and kind.measure in _WORDS:
        return _minute(kind.measure, refused.limit, remaining)
    if kind.window == "period" and kind.measure == "t":
        return [(b"x-tollkeeper-quota-remaining", b"%d" % remaining)]
    return []


def _minute(measure: Measure, limit: int, remaining: int) -> Headers:
    word = _WORDS[measure]
    return [
        (b"x-ratelimit-limit-" + word, b"%d" % limit),
        (b"x-ratelimit-remaining-" + word, b"%d" % remaining),
        (b"x-ratelimit-reset-" + word, _MINUTE_RESET),
    ]
