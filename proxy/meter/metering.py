"""What a meter is: told what was asked and what was answered, it says what was used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ledger.usage import Usage
from ledger.usage_record import UsageSource
from proxy.meter.answer import Answer
from proxy.meter.duration import NO_AUDIO, Length
from proxy.meter.output import TokenCounter


@dataclass(frozen=True, slots=True)
class Request:
    """What a call asks for, as far as its price depends on it.

    `fields` are the members of a JSON body, or the texts of a form; `prompt_tokens` is what the prompt was counted to
    be, `most_output` the most tokens that an answer can have, `audio` how long the uploaded audio lasts
    (`duration.length_of`).
    """

    model: str
    fields: Mapping[str, Any]
    prompt_tokens: int = 0
    most_output: int | None = None
    audio: Length = NO_AUDIO

    def text(self, name: str) -> str:
        """The field, empty where it is absent or no text."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Metered:
    """`source`: the provider reported it, or what it charges for is plain to see; counted here by the tokenizer or
    from the audio; or `unknown`: an upper bound."""

    usage: Usage
    source: UsageSource


class Meter(Protocol):
    """Of an answer with a status below 300: others cost nothing. Never raises on what the answer holds.

    `counter` is the tokenizer of the model. An answer that does not end (`Answer.ends`) is not for a meter yet. Of an
    empty answer, what the request says that a picture, speech or transcription comes to: what there is to hold.
    """

    def __call__(self, request: Request, answer: Answer, counter: TokenCounter) -> Metered: ...
