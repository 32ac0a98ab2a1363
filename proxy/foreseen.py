"""What a call will come to, as far as its request says it: counted before the hold."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ledger.usage import Usage
from proxy.endpoints.asked import Asked
from proxy.errors import Refusal
from proxy.meter.answer import JsonAnswer
from proxy.meter.bounds import output_bound
from proxy.meter.duration import NO_AUDIO, Length, length_of
from proxy.meter.image_answers import images
from proxy.meter.metering import Request
from proxy.meter.meters import chat, container, responses
from proxy.meter.models import family_of
from proxy.meter.pictures import pictures_given
from proxy.meter.prompt import Estimate, count_prompt
from proxy.meter.speech import speech
from proxy.meter.tokenizer import Tokenizers
from proxy.meter.tool_calls import calls_to_hold, searches_of_chat
from proxy.meter.transcription import transcription
from proxy.meter.videos import videos

_ONE_MORE_A_MESSAGE: Final = ("gpt-3.5-turbo", "gpt-35-turbo")
_AS_ASKED: Final = frozenset({container, images, speech, transcription, videos})
"""Meters that tell from the request alone what its answer comes to."""
_SPOKEN_TOKENS_PER_SECOND: Final = 10
_LEAST_SPOKEN: Final = 256


_NONE: Final = Usage()


@dataclass(frozen=True, slots=True)
class Foreseen:
    """`prompt_tokens` is what the input is taken for; the others are bounds: what is held. `audio`: how long what was
    uploaded lasts. `sunk` is what is paid even where nobody learns what became of the call."""

    prompt_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    quantities: Mapping[str, int] = field(default_factory=dict)
    audio: Length = NO_AUDIO
    sunk: Usage = _NONE


_NOTHING: Final = Foreseen()


def foresee(asked: Asked, tokenizers: Tokenizers) -> Foreseen:
    """Takes as long as counting the prompt does: that of a large body is for a thread. Raises Refusal 400 where what
    would be paid for is missing."""
    if asked.endpoint.opens == "call":
        # It costs nothing by itself, but is pointless without room for a response.
        family = family_of(asked.model)
        return Foreseen(input_tokens=family.context, output_tokens=family.max_output)
    if not asked.endpoint.costs:
        return _NOTHING
    prompt = count_prompt(asked.endpoint.template, asked.request, asked.model, tokenizers)
    if asked.endpoint.meter in _AS_ASKED:
        return _as_asked(asked, prompt.tokens, tokenizers)
    return Foreseen(
        prompt.tokens,
        prompt.tokens + _margin(asked, prompt),
        output_bound(asked.endpoint.template, asked.request, asked.model),
        _calls(asked),
        sunk=Usage(input_tokens=prompt.tokens),
    )


def _as_asked(asked: Asked, prompt_tokens: int, tokenizers: Tokenizers) -> Foreseen:
    """Of what is made, not written: the most that its meter can say where no answer tells."""
    meter, output = asked.endpoint.meter, 0
    if meter is speech and not isinstance(asked.request.get("input"), str):
        raise Refusal(400, "Invalid type for 'input': expected a text.", code="invalid_type", param="input")
    if meter is images:
        prompt_tokens += pictures_given(asked.model, asked.request, asked.form)
    audio = _audio(asked) if meter is transcription else NO_AUDIO
    request = Request(asked.model, asked.request, prompt_tokens, audio=audio)
    usage = meter(request, JsonAnswer(), tokenizers.for_model(asked.model)).usage
    if meter is speech:
        output = 2 * usage.output_tokens  # a slow voice, or a language of few letters
    elif meter is transcription and usage.input_tokens:
        output = max(_LEAST_SPOKEN, math.ceil(audio.seconds * _SPOKEN_TOKENS_PER_SECOND))
    return Foreseen(
        prompt_tokens,
        usage.input_tokens,
        max(output, usage.output_tokens),
        usage.quantities,
        audio,
        usage,
    )


def _audio(asked: Asked) -> Length:
    """Of several files the longest: which of them is heard is the provider's to say."""
    files = [] if asked.form is None else asked.form.files
    if not files:
        raise Refusal(
            400,
            "Missing required parameter: 'file', in a form (multipart/form-data).",
            code="missing_required_parameter",
            param="file",
        )
    return max((length_of(bytes(value)) for _, value in files), key=lambda each: each.seconds)


def _calls(asked: Asked) -> dict[str, int]:
    """Calls of the provider's own tools that the answer may make, each at its price."""
    if asked.endpoint.meter is responses:
        return calls_to_hold(asked.request, asked.model)
    return searches_of_chat(asked.request, asked.model) if asked.endpoint.meter is chat else {}


def _margin(asked: Asked, prompt: Estimate) -> int:
    """Tokens held above the count, so that a prompt counted too low can't pass a limit. On recorded calls the
    count was up to 18 too low for responses that are plain, up to 229 where tools are strict, and one a message for the
    first version of gpt-3.5-turbo, which several names still lead to."""
    if not prompt.exact:
        return max(256, prompt.tokens // 4)
    if asked.endpoint.meter is responses:
        return 32
    messages = asked.request.get("messages")
    return len(messages) if isinstance(messages, list) and asked.model.startswith(_ONE_MORE_A_MESSAGE) else 0
