"""What is left, in an answer's headers: of the minute as OpenAI says it, and of the period."""

from typing import Final

from proxy.quota.admission import Admitted, Refused
from proxy.quota.limits import NANO, Measure
from proxy.quota.scopes import Scopes

Headers = list[tuple[bytes, bytes]]

_MINUTE_RESET: Final = b"1m2s"
"""The oldest of the minute's buckets of 2 s counts in full, so all of a minute is free again after 62 s."""
_NAMES: Final[dict[Measure, tuple[bytes, bytes, bytes]]] = {
    "r": (b"x-ratelimit-limit-requests", b"x-ratelimit-remaining-requests", b"x-ratelimit-reset-requests"),
    "t": (b"x-ratelimit-limit-tokens", b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-tokens"),
}


def of_admission(scopes: Scopes, admitted: Admitted) -> Headers:
    """For each limit the scope that has least left of it; nothing for what nobody limits."""
    headers: Headers = []
    counts = admitted.counts
    for measure in _NAMES:
        minute = scopes.left("minute", measure, counts)
        if minute is not None:
            headers += _minute(measure, *minute)
    tokens = scopes.left("period", "t", counts)
    if tokens is not None:
        headers.append((b"x-tollkeeper-quota-remaining", b"%d" % tokens[1]))
    requests = scopes.left("period", "r", counts)
    if requests is not None:
        headers.append((b"x-tollkeeper-quota-remaining-requests", b"%d" % requests[1]))
    spend = scopes.left("period", "m", counts)
    if spend is not None:
        whole, rest = divmod(spend[1], NANO)
        headers.append((b"x-tollkeeper-quota-remaining-spend", b"%d.%09d" % (whole, rest)))
    return headers


def of_refusal(refused: Refused) -> Headers:
    """Of the limit that refused."""
    kind, remaining = refused.kind, max(0, refused.limit - refused.used)
    if kind.window == "minute" and kind.measure in _NAMES:
        return _minute(kind.measure, refused.limit, remaining)
    if kind.window == "period" and kind.measure == "t":
        return [(b"x-tollkeeper-quota-remaining", b"%d" % remaining)]
    return []


def _minute(measure: Measure, limit: int, remaining: int) -> Headers:
    named_limit, named_remaining, named_reset = _NAMES[measure]
    return [
        (named_limit, b"%d" % limit),
        (named_remaining, b"%d" % remaining),
        (named_reset, _MINUTE_RESET),
    ]
