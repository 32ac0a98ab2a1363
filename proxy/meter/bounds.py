"""The most that an answer can be, for the hold before the call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.meter.models import family_of

_LEGACY_DEFAULT = 16
_MOST_CHOICES = 128


def output_bound(endpoint: str, request: Mapping[str, Any], model: str) -> int:
    """Output tokens, over all choices, that the call can't pass: what the request allows, else what the model
    allows.

    `endpoint` as in `count_prompt`. Legacy completions default to 16 tokens, embeddings have no output, a
    model that isn't known is taken for one of 16,384. `best_of` counts where it is more than `n`. Odd values
    count as not given.
    """
    if endpoint.endswith("embeddings"):
        return 0
    most = family_of(model).max_output
    if "responses" in endpoint:
        return _given(request, "max_output_tokens") or most
    if endpoint.endswith("/runs"):
        return _given(request, "max_completion_tokens") or most
    if endpoint.endswith("chat/completions"):
        one = _given(request, "max_completion_tokens") or _given(request, "max_tokens") or most
        return one * _choices(request, "n")
    given = _given(request, "max_tokens")
    each = _LEGACY_DEFAULT if given is None else given
    prompts = request.get("prompt")
    texts = len(prompts) if isinstance(prompts, list) and not all(isinstance(p, int) for p in prompts) else 1
    return each * max(_choices(request, "n"), _choices(request, "best_of")) * texts


def _given(request: Mapping[str, Any], name: str) -> int | None:
    value = request.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _choices(request: Mapping[str, Any], name: str) -> int:
    return min(max(_given(request, name) or 1, 1), _MOST_CHOICES)
