"""A refusal of the admission script in OpenAI's words."""

from decimal import Decimal
from math import ceil
from typing import Final

from proxy.errors import Refusal
from proxy.quota.admission import Refused
from proxy.quota.headers import of_refusal
from proxy.quota.limits import Scope, kind_of

_NEVER: Final = "The request alone needs more than the limit allows; ask for a shorter answer or send less."

_WASTE_NO_MORE: Final = ((b"x-should-retry", b"false"),)
"""The official SDKs would send the whole file again."""


def refusal(refused: Refused, currency: str) -> Refusal:
    """429 `rate_limit_exceeded` for what passes by itself, 429 `insufficient_quota` for a period's tokens or
    requests and for the room that is kept upstream, 402 `insufficient_quota` for its money."""
    kind = refused.kind
    whose = "API key" if refused.scope.holder == "key" else refused.scope.holder
    unit = {"r": "requests", "t": "tokens", "m": currency, "b": "GB", "k": "MB"}[kind.measure]
    amounts = " ".join(
        f"{word} {_amount(value, kind.measure)} {unit}{mark}"
        for word, value, mark in (
            ("Limit", refused.limit, ","),
            ("used and held", refused.used, ","),
            ("needed", refused.needed, "."),
        )
    )
    if kind.window == "stored":
        return Refusal(
            429,
            f"The {whose} has no room left for this upload ({kind.name}). {amounts} Delete files that are no longer "
            "needed, or upgrade the plan.",
            type="insufficient_quota",
            code="insufficient_quota",
            headers=_WASTE_NO_MORE,
        )
    if kind.window == "period":
        return Refusal(
            402 if kind.measure == "m" else 429,
            f"The {whose} has no quota left for this request ({kind.name}). {amounts} It begins anew in "
            f"{_span(refused.retry_ms)}. To go on now, upgrade the plan or buy more.",
            type="insufficient_quota",
            code="insufficient_quota",
            headers=tuple(of_refusal(refused)),
        )
    wait = max(1, ceil(refused.retry_ms / 1000)) if refused.retry_ms >= 0 else 1
    too_large = refused.needed > refused.limit
    return Refusal(
        429,
        f"Rate limit reached for the {whose} ({kind.name}). {amounts} "
        + (_NEVER if too_large else f"Try again in {wait}s."),
        type="tokens" if kind.measure == "t" else "requests",
        code="rate_limit_exceeded",
        headers=(*of_refusal(refused), *(() if too_large else ((b"retry-after", str(wait).encode()),))),
    )


def no_room_for_more(scope: Scope, room: int) -> Refusal:
    """Of an upload that did not say how long it is, and turns out to be longer than the room that was left."""
    kind, limit = kind_of("stored", "k"), scope.storage
    return refusal(Refused(scope, kind, limit, limit - room, room + 1, -1), "")


def _amount(value: int, measure: str) -> str:
    places = {"m": 9, "b": 9, "k": 6}.get(measure, 0)
    return f"{Decimal(value).scaleb(-places):f}"


def _span(ms: int) -> str:
    hours = ms // 3_600_000
    return f"{hours // 24}d{hours % 24}h" if hours >= 24 else f"{hours}h{ms // 60_000 % 60}m"
