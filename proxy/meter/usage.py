"""Usage as OpenAI reports it, in every shape, read into one.

Shapes: chat and legacy completions (`prompt_tokens`, `completion_tokens`), responses, images, transcriptions
and realtime (`input_tokens`, `output_tokens`; details under `input_tokens_details` or `input_token_details`),
embeddings (no output), transcriptions by duration (`{"type": "duration", "seconds": 9}`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ledger.usage import Usage

MAX_COUNT = 10**12
_NONE: Mapping[str, Any] = MappingProxyType({})


_USUAL = frozenset(
    (
        *("prompt_tokens", "completion_tokens", "total_tokens"),
        *("prompt_tokens_details", "completion_tokens_details"),
    )
)
_USUAL_INTO = frozenset(("cached_tokens", "audio_tokens"))
_USUAL_OUT = frozenset(
    ("reasoning_tokens", "audio_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens")
)


_OBJECTS = (dict, MappingProxyType)


class _RefusedError(Exception):
    """A member that can't be a count."""


def read_usage(payload: Mapping[str, Any] | None) -> Usage | None:
    """Read the value of a `usage` member; None where it is null, empty, of an unknown shape or garbage. Never
    raises.

    An explicit zero is a count. A part larger than its whole is cut to the whole: the whole is what was
    reported first.
    """
    if not isinstance(payload, Mapping):
        return None
    try:
        return _as_usual(payload) or _read(payload)
    except _RefusedError:
        return None


def with_quantities(usage: Usage, more: Mapping[str, int]) -> Usage:
    """`usage` and these quantities beside its own."""
    return dataclasses.replace(usage, quantities={**usage.quantities, **more}) if more else usage


def add_usage(one: Usage | None, other: Usage) -> Usage:
    """What both used together."""
    if one is None:
        return other
    counts = {
        item.name: getattr(one, item.name) + getattr(other, item.name)
        for item in dataclasses.fields(Usage)
        if item.name != "quantities"
    }
    kinds = one.quantities.keys() | other.quantities.keys()
    both = {kind: one.quantities.get(kind, 0) + other.quantities.get(kind, 0) for kind in kinds}
    return Usage(**counts, quantities=both)


def read_seconds(value: Any) -> int | None:
    """A duration in seconds, a second that was begun as a whole one; None where it can't be a duration."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_COUNT:
        return None
    return math.ceil(value)


def _as_usual(payload: Mapping[str, Any]) -> Usage | None:
    """Of the shape that almost every chat completion has; None for any other. Less than half of what `_read` costs."""
    given_in, given_out = payload.get("prompt_tokens"), payload.get("completion_tokens")
    into, out = payload.get("prompt_tokens_details"), payload.get("completion_tokens_details")
    into, out = _NONE if into is None else into, _NONE if out is None else out
    total = payload.get("total_tokens", 0)
    if type(given_in) is not int or type(given_out) is not int or not payload.keys() <= _USUAL:
        return None
    if type(total) is not int or not 0 <= total <= MAX_COUNT:
        return None
    if type(into) not in _OBJECTS or type(out) not in _OBJECTS:
        return None
    if not into.keys() <= _USUAL_INTO or not out.keys() <= _USUAL_OUT:
        return None
    cached, heard = into.get("cached_tokens", 0), into.get("audio_tokens", 0)
    thought, spoken = out.get("reasoning_tokens", 0), out.get("audio_tokens", 0)
    for part, whole in ((cached, given_in), (heard, given_in), (thought, given_out), (spoken, given_out)):
        if type(part) is not int or not 0 <= part <= whole <= MAX_COUNT:
            return None
    return Usage(given_in, cached, 0, given_out, thought, heard, spoken)


def _read(payload: Mapping[str, Any]) -> Usage | None:
    total = _count(payload, "total_tokens")
    given_in = _first_count(payload, "prompt_tokens", "input_tokens")
    given_out = _first_count(payload, "completion_tokens", "output_tokens")
    if given_in is None and given_out is None:
        seconds = read_seconds(payload.get("seconds"))
        return None if seconds is None else Usage(quantities={"seconds": seconds})
    if given_in is None:
        if total is None:
            return None
        given_in = max(total - (given_out or 0), 0)
    if given_out is None:
        given_out = max((total or 0) - given_in, 0)
    into = _details(payload, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    out = _details(payload, "completion_tokens_details", "output_tokens_details", "output_token_details")
    written = _first_count(into, "cache_write_tokens", "cache_creation_tokens") if into else None
    if written is None:
        written = _count(payload, "cache_creation_input_tokens")
    cached, heard, seen = _parts(into, given_in, "cached_tokens", "audio_tokens", "image_tokens")
    thought, spoken, drawn = _parts(out, given_out, "reasoning_tokens", "audio_tokens", "image_tokens")
    return Usage(
        input_tokens=given_in,
        cached_input_tokens=cached,
        cache_write_tokens=min(written or 0, given_in),
        output_tokens=given_out,
        reasoning_tokens=thought,
        audio_input_tokens=heard,
        audio_output_tokens=spoken,
        image_input_tokens=seen,
        image_output_tokens=drawn,
        quantities=_cached_kinds(_details(into, "cached_tokens_details")),
    )


def _parts(details: Mapping[str, Any], whole: int, *names: str) -> tuple[int, ...]:
    """Each at most the whole that it is a part of."""
    if not details:
        return 0, 0, 0
    return tuple(min(_count(details, name) or 0, whole) for name in names)


def _cached_kinds(details: Mapping[str, Any]) -> Mapping[str, int]:
    """What of the cached input is audio or images, which have cached rates of their own."""
    if not details:
        return _NONE
    kinds = (("cached_audio_tokens", "audio_tokens"), ("cached_image_tokens", "image_tokens"))
    counts = ((name, _count(details, key)) for name, key in kinds)
    return {name: count for name, count in counts if count}


def _details(payload: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        value = payload.get(name)
        if value is None:
            continue
        if not isinstance(value, Mapping):
            raise _RefusedError
        return value
    return _NONE


def _first_count(payload: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        count = _count(payload, name)
        if count is not None:
            return count
    return None


def _count(payload: Mapping[str, Any], name: str) -> int | None:
    value = payload.get(name)
    if value is None or (type(value) is int and 0 <= value <= MAX_COUNT):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _RefusedError
    if not 0 <= value <= MAX_COUNT or value != int(value):
        raise _RefusedError
    return int(value)
