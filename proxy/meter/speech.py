"""The meter of speech made of text."""

from __future__ import annotations

import math
from typing import Final

from ledger.usage import Usage
from proxy.meter.answer import Answer
from proxy.meter.duration import length_of
from proxy.meter.metering import Metered, Request
from proxy.meter.output import TokenCounter

_BY_CHARACTER: Final = "tts-1"
_TOKENS_PER_SECOND: Final = 21
"""Of the models that charge for tokens of audio: 12 dollars a million, and about 0.015 a minute by OpenAI's page."""
_CHARACTERS_PER_SECOND: Final = 12
_PCM_BYTES_PER_SECOND: Final = 48_000


def speech(request: Request, answer: Answer, counter: TokenCounter) -> Metered:
    """tts-1 and tts-1-hd by the characters of the input; other models by tokens: as their stream of events reports
    them, else the text's by the tokenizer and the audio's by its length."""
    text = request.text("input")
    if request.model.startswith(_BY_CHARACTER):
        return Metered(Usage(quantities={"characters": len(text)} if text else {}), "provider")
    usage = answer.usage
    if usage is not None:
        return Metered(usage, "provider")
    tokens = counter.count(text) + counter.count(request.text("instructions"))
    audio = math.ceil(_seconds(request, answer.body, len(text)) * _TOKENS_PER_SECOND)
    return Metered(Usage(tokens, output_tokens=audio), "tokenizer")


def _seconds(request: Request, audio: bytes, characters: int) -> float:
    if request.text("response_format") == "pcm" and audio:
        return len(audio) / _PCM_BYTES_PER_SECOND
    length = length_of(audio)
    return length.seconds if length.known else characters / _CHARACTERS_PER_SECOND
