"""How many tokens the pictures of a request to change pictures are, at the most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from proxy.meter.multipart import Form

_PLAIN: Final = 65 + 129 * 8
"""A base and as many tiles as fit into 2048 x 768, by OpenAI's page on vision for GPT image models."""
_FAITHFUL: Final = 6240
"""What high fidelity adds to a picture that isn't square, by the same page."""
_PLAIN_UNLESS_ASKED: Final = ("gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5", "chatgpt-image-latest")
_MEMBERS: Final = ("image", "images", "mask", "markup")


def pictures_given(model: str, request: Mapping[str, Any], form: Form | None) -> int:
    """`form` is the request's, None of a JSON body. DALL-E counts no tokens, if the request names it."""
    if model.startswith("dall-e") and request.get("model") is not None:
        return 0
    count = 0 if form is None else sum(name.partition("[")[0] in _MEMBERS for name, _ in form.files)
    for name in _MEMBERS:
        given = request.get(name)
        count += len(given) if isinstance(given, list) else given is not None
    plain = model.startswith(_PLAIN_UNLESS_ASKED) and request.get("input_fidelity") in (None, "low")
    return count * (_PLAIN if plain else _PLAIN + _FAITHFUL)
