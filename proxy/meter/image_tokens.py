"""How many tokens an image is that a GPT image model made, where it doesn't say so itself.

Source: OpenAI's table of output tokens by quality and format, as of gpt-image-1. Formats and qualities that are
not in it count as the dearest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_TOKENS: Final[Mapping[str, tuple[int, int, int]]] = {
    "low": (272, 408, 400),
    "medium": (1056, 1584, 1568),
    "high": (4160, 6240, 6208),
}
_FORMATS: Final = ("1024x1024", "1024x1536", "1536x1024")


def image_output_tokens(size: Any, quality: Any) -> int:
    """`size` as `1024x1536`, `quality` as `low`; anything else, `auto` too, is taken for the dearest there is."""
    row = _TOKENS.get(quality, _TOKENS["high"]) if isinstance(quality, str) else _TOKENS["high"]
    return row[_FORMATS.index(size)] if size in _FORMATS else max(row)
