"""Usage in a JSON answer."""

from __future__ import annotations

from typing import Any

import orjson

from ledger.usage import Usage
from proxy.meter.members import last_member
from proxy.meter.tool_calls import CALLED, tools_called
from proxy.meter.usage import read_usage, with_quantities

DECODED_WHOLE = 64 * 1024
"""Answers up to this many bytes are decoded whole; in larger ones (embeddings, images) the end is looked
at first."""


def names_service_tier(body: bytes) -> bool:
    """Whether an answer may say which service tier it is of; in a large one that stands near an end."""
    return b'"service_tier"' in body[:DECODED_WHOLE] or b'"service_tier"' in body[-DECODED_WHOLE:]


def usage_of_answer(answer: Any) -> Usage | None:
    """The usage of a decoded answer or stream event: `usage`, else `response.usage`; a response's with the tools
    that it called."""
    if not isinstance(answer, dict):
        return None
    if answer.get("usage") is None:
        answer = answer.get("response")
        if not isinstance(answer, dict):
            return None
    usage = read_usage(answer.get("usage"))
    return usage if usage is None or "output" not in answer else with_quantities(usage, tools_called(answer))


def usage_at_the_end(body: bytes) -> Usage | None:
    """The top-level `usage` of an answer that is too large to be decoded for it, if it stands near the end, as OpenAI
    puts it."""
    if len(body) <= DECODED_WHOLE or any(called in body for called in CALLED):
        return None
    if body.lstrip()[:1] != b"{" or not body.rstrip().endswith(b"}"):
        return None
    if b"\n" in body and (b"}\n{" in body or b"}\r\n{" in body):
        return None  # several documents, one a line: the last one's usage is not the whole's
    span = last_member(body, b"usage", depth=1, window=DECODED_WHOLE)
    if span is None:
        return None
    try:
        return read_usage(orjson.loads(body[span[0] : span[1]]))
    except ValueError:
        return None
