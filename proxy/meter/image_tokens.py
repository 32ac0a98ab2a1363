"""How many tokens an image is that a GPT image model made, where it doesn't say so itself.

Source: OpenAI's table of output tokens by quality and format, as of gpt-image-1. Formats and qualities that are
not in it count as the dearest; larger pictures by their area, as the table's grow with it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

_TOKENS: Final[Mapping[str, tuple[int, int, int]]] = {
    "low": (272, 408, 400),
    "medium": (1056, 1584, 1568),
    "high": (4160, 6240, 6208),
}
_FORMATS: Final = ("1024x1024", "1024x1536", "1536x1024")
_BEYOND: Final[Mapping[str, int]] = {"xhigh": 2, "max": 4}
"""Of newer models, which no table has: as many times the highest that it has. An assumption."""
_SIZE: Final = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)
_LARGEST: Final = 3840 * 2160


def image_output_tokens(size: Any, quality: Any) -> int:
    """`size` as `1024x1536`, `quality` as `low`; anything else, `auto` too, is taken for the dearest there is."""
    word = quality if isinstance(quality, str) else ""
    row = _TOKENS.get(word, _TOKENS["high"])
    each = row[_FORMATS.index(size)] if size in _FORMATS else max(row)
    found = _SIZE.fullmatch(size) if isinstance(size, str) and size not in _FORMATS else None
    if found is not None:
        pixels = min(int(found[1]) * int(found[2]), _LARGEST)
        each = max(each, math.ceil(row[0] * pixels / 1024**2))
    return each * _BEYOND.get(word, 1)
