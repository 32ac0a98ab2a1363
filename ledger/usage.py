"""What one request used, as OpenAI counts it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Final

_NONE: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts and other quantities of one request.

    `cached_input_tokens`, `cache_write_tokens`, `audio_input_tokens` and `image_input_tokens` are inside
    `input_tokens`; `reasoning_tokens`, `audio_output_tokens` and `image_output_tokens` inside
    `output_tokens`.
    `quantities` holds what is not tokens: seconds, images, characters, calls of built-in tools.
    """

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    image_input_tokens: int = 0
    image_output_tokens: int = 0
    quantities: Mapping[str, int] = field(default_factory=lambda: _NONE)

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        """Both together. What is not tokens stays apart by name."""
        quantities = dict(self.quantities)
        for name, count in other.quantities.items():
            quantities[name] = quantities.get(name, 0) + count
        tokens = {name: getattr(self, name) + getattr(other, name) for name in TOKENS}
        return Usage(**tokens, quantities=quantities)


TOKENS: Final = tuple(each.name for each in fields(Usage) if each.name != "quantities")
"""The members that count tokens."""
