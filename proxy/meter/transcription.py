"""The meter of transcriptions and translations."""

from __future__ import annotations

import math
from typing import Any, Final

from ledger.usage import Usage
from proxy.meter.answer import Answer
from proxy.meter.metering import Metered, Request
from proxy.meter.output import TokenCounter
from proxy.meter.usage import read_seconds

_BY_TOKENS: Final = "gpt-4o"
"""Models of this family charge tokens, others the seconds of the audio."""
_TOKENS_PER_SECOND: Final = 10


def transcription(request: Request, answer: Answer, counter: TokenCounter) -> Metered:
    """As reported, in tokens or seconds; else by the length of the audio: as a verbose answer states it, as the
    uploaded file has it, or the most that its bytes can last (`unknown`)."""
    usage = answer.usage
    if usage is not None:
        return Metered(usage, "provider")
    said = answer.decoded()
    stated = read_seconds(said.get("duration")) if isinstance(said, dict) else None
    seconds = math.ceil(request.audio.seconds) if stated is None else stated
    known = stated is not None or request.audio.known
    written = _written(said, answer, counter), counter.count(request.text("prompt"))
    used = by_length(request.model, seconds, *written)
    if stated is not None and "seconds" in used.quantities:
        return Metered(used, "provider")
    return Metered(used, "tokenizer" if known else "unknown")


def by_length(model: str, seconds: int, output_tokens: int = 0, text_tokens: int = 0) -> Usage:
    """What a transcription of so many seconds comes to; the tokens are those of the text and of its prompt."""
    if not model.startswith(_BY_TOKENS):
        return Usage(quantities={"seconds": seconds} if seconds else {})
    audio = seconds * _TOKENS_PER_SECOND
    return Usage(audio + text_tokens, output_tokens=output_tokens, audio_input_tokens=audio)


def _written(said: Any, answer: Answer, counter: TokenCounter) -> int:
    if isinstance(said, dict):
        text = said.get("text")
        return counter.count(text) if isinstance(text, str) else 0
    return answer.output.count(counter)
