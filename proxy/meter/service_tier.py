"""The service tier that an answer names: what is charged, whichever was asked for.

Chats name it at the top of a body and in each chunk, responses in the response. `auto` is what was asked, never what
was served: responses say it until they are under way.
"""

from __future__ import annotations

import re
from typing import Any, Final

from proxy.meter.members import last_member

SERVED: Final = frozenset({"default", "flex", "priority", "fast", "ultrafast", "scale"})
"""`fast` is another name of `priority`. What else an answer says is nobody's tier."""

_NAME: Final = b"service_tier"
_NAMED: Final = re.compile(rb'"service_tier"\s*:\s*"([a-z]+)"')


def service_tier_of(answer: Any) -> str | None:
    """The tier that a decoded answer or stream event names; None where it names none."""
    if not isinstance(answer, dict):
        return None
    tier = answer.get("service_tier")
    if tier is None and isinstance(answer.get("response"), dict):
        tier = answer["response"].get("service_tier")
    return tier if isinstance(tier, str) and tier in SERVED else None


def service_tier_in(chunk: bytes) -> str | None:
    """As `service_tier_of`, of a chunk that nobody decodes. Quotes within its texts are escaped, so none is taken for a
    member."""
    named = _NAMED.search(chunk)
    return None if named is None else _served(named[1])


def service_tier_at_the_end(data: bytes, depth: int, window: int) -> str | None:
    """As `service_tier_of`, of a large document by its end; `depth` as for `last_member`."""
    span = last_member(data, _NAME, depth, window)
    return None if span is None else _served(data[span[0] : span[1]].strip(b'"'))


def _served(tier: bytes) -> str | None:
    name = tier.decode("ascii", "replace")
    return name if name in SERVED else None
