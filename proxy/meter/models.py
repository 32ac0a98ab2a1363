"""What the counting needs to know of each family of models.

Sources: OpenAI's model pages (context windows, output bounds, image rules), and recorded calls for the
overheads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

EncodingName = Literal["cl100k_base", "o200k_base"]


@dataclass(frozen=True, slots=True)
class Tiles:
    """An image costs `base`, and `tile` for each 512-px tile of it in high detail."""

    base: int = 85
    tile: int = 170


@dataclass(frozen=True, slots=True)
class Patches:
    """An image costs `rate` for each 32-px patch, of at most `most`."""

    rate: float
    most: int = 1536


@dataclass(frozen=True, slots=True)
class Family:
    """One family: its vocabulary, its bounds in tokens, its image rule, and what its prompts add at the
    end and for each turn."""

    encoding: EncodingName
    context: int
    max_output: int
    image: Tiles | Patches = Tiles()
    priming: int = 3
    per_turn: int = 3
    era: Literal["cl100k", "o200k", "gpt-5"] = "o200k"


_GPT_35 = Family("cl100k_base", 16_385, 4_096, era="cl100k")
_GPT_4 = Family("cl100k_base", 8_192, 8_192, era="cl100k")
_GPT_4_TURBO = replace(_GPT_4, context=128_000, max_output=4_096)
_GPT_4O = Family("o200k_base", 128_000, 16_384)
_GPT_41 = Family("o200k_base", 1_047_576, 32_768)
_O_SERIES = Family("o200k_base", 200_000, 100_000, Tiles(75, 150), priming=2)
_GPT_5 = Family("o200k_base", 400_000, 128_000, Tiles(70, 140), priming=2, era="gpt-5")
_GPT_54 = replace(_GPT_5, context=1_050_000)
_REALTIME = replace(_GPT_4O, context=32_000, max_output=4_096)
_REALTIME_2 = replace(_GPT_4O, context=128_000, max_output=32_000)
_EMBEDDING = Family("cl100k_base", 300_000, 0, era="cl100k")
_COMPLETION = Family("cl100k_base", 16_385, 16_384, era="cl100k")

UNKNOWN = replace(_GPT_4O)
"""What a model that isn't known is taken for; told from gpt-4o by identity."""

_FAMILIES: dict[str, Family] = {
    "gpt-3.5": _GPT_35,
    "gpt-35": _GPT_35,
    "gpt-3.5-turbo-0301": replace(_GPT_35, per_turn=4),
    "gpt-35-turbo-0301": replace(_GPT_35, per_turn=4),
    "gpt-4": _GPT_4,
    "gpt-4-32k": replace(_GPT_4, context=32_768, max_output=32_768),
    "gpt-4-turbo": _GPT_4_TURBO,
    "gpt-4-vision": _GPT_4_TURBO,
    "gpt-4-1106": _GPT_4_TURBO,
    "gpt-4-0125": _GPT_4_TURBO,
    "gpt-4o": _GPT_4O,
    "gpt-4o-2024-05-13": replace(_GPT_4O, max_output=4_096),
    "gpt-4o-mini": replace(_GPT_4O, image=Tiles(2833, 5667)),
    "gpt-4o-realtime": replace(_GPT_4O, max_output=4_096),
    "gpt-4o-mini-realtime": replace(_GPT_4O, max_output=4_096),
    "gpt-realtime": _REALTIME,
    "gpt-realtime-2": _REALTIME_2,
    "gpt-realtime-2025": _REALTIME,
    "chatgpt-4o": _GPT_4O,
    "gpt-4.1": _GPT_41,
    "gpt-4.1-mini": replace(_GPT_41, image=Patches(1.62)),
    "gpt-4.1-nano": replace(_GPT_41, image=Patches(2.46)),
    "gpt-4.5": _GPT_4O,
    "o1": replace(_O_SERIES, priming=3),
    "o1-mini": replace(_O_SERIES, context=128_000, max_output=65_536, priming=3),
    "o1-preview": replace(_O_SERIES, context=128_000, max_output=32_768, priming=3),
    "o3": _O_SERIES,
    "o4": _O_SERIES,
    "o4-mini": replace(_O_SERIES, image=Patches(1.72)),
    "gpt-5": _GPT_5,
    "gpt-5-mini": replace(_GPT_5, image=Patches(1.2)),
    "gpt-5-nano": replace(_GPT_5, image=Patches(1.5)),
    "gpt-5-chat": replace(_GPT_5, context=128_000, max_output=16_384),
    "gpt-5.4": _GPT_54,
    "gpt-5.5": _GPT_54,
    "gpt-5.6": _GPT_54,
    "text-embedding": _EMBEDDING,
    "davinci-002": _COMPLETION,
    "babbage-002": _COMPLETION,
    "text-davinci": replace(_COMPLETION, context=4_097, max_output=4_096),
}
_PREFIXES = sorted(_FAMILIES, key=len, reverse=True)


@lru_cache(maxsize=1024)
def family_of(model: str) -> Family:
    """The family of a model by the longest name it begins with; `ft:BASE:...` counts as BASE, an unknown
    one as gpt-4o."""
    name = model.removeprefix("ft:").partition(":")[0].lower()
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return _FAMILIES[prefix]
    return UNKNOWN
