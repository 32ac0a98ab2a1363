from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ledger.usage import Usage
from proxy.meter.answer import JsonAnswer, StreamedAnswer
from proxy.meter.duration import Length, length_of
from proxy.meter.metering import Metered, Request
from proxy.meter.multipart import read_form
from proxy.meter.transcription import transcription
from proxy.meter.usage import read_usage


class Words:
    def count(self, text: str) -> int:
        return len(text.split())


def metered(request: Request, answer: Any) -> Metered:
    made = JsonAnswer()
    made.feed(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
    return transcription(request, made, Words())


AUDIO = Length(61.2, known=True)


def test_seconds_that_are_reported_are_charged_as_begun() -> None:
    answer = {"text": "a", "usage": {"type": "duration", "seconds": 3.2}}
    assert metered(Request("whisper-1", {}), answer) == Metered(Usage(quantities={"seconds": 4}), "provider")


def test_a_verbose_answer_states_the_length_of_the_audio() -> None:
    assert metered(Request("whisper-1", {}, audio=AUDIO), {"duration": 8.47, "text": "a"}) == Metered(
        Usage(quantities={"seconds": 9}), "provider"
    )


@pytest.mark.parametrize(
    "answer", [b"Good day.\n", b"1\n00:00:00,000 --> 00:00:02,000\nGood day.\n", b'{"text":"a"}']
)
def test_an_answer_that_says_nothing_costs_the_length_of_the_upload(answer: bytes) -> None:
    assert metered(Request("whisper-1", {}, audio=AUDIO), answer) == Metered(
        Usage(quantities={"seconds": 62}), "tokenizer"
    )


def test_audio_whose_length_nobody_knows_is_never_free() -> None:
    request = Request("whisper-1", {}, audio=length_of(b"?" * 7500))
    assert metered(request, b"Good day.") == Metered(Usage(quantities={"seconds": 10}), "unknown")


def test_models_that_charge_tokens_are_counted_in_tokens() -> None:
    request = Request("gpt-4o-transcribe", {"prompt": "of three words"}, audio=Length(2.5, known=True))
    assert metered(request, {"text": "good day"}) == Metered(
        Usage(33, output_tokens=2, audio_input_tokens=30), "tokenizer"
    )


def test_the_text_of_an_answer_is_counted_once() -> None:
    request = Request("gpt-4o-transcribe", {}, audio=Length(1, known=True))
    assert metered(request, b"Good day to you.").usage.output_tokens == 4


def test_a_stream_that_was_cut_costs_its_audio_and_what_was_delivered() -> None:
    answer = StreamedAnswer()
    answer.feed(b'data: {"type":"transcript.text.delta","delta":"good day"}\n\n')
    request = Request("gpt-4o-mini-transcribe", {}, audio=Length(2, known=True))
    assert transcription(request, answer, Words()) == Metered(
        Usage(20, output_tokens=2, audio_input_tokens=20), "tokenizer"
    )


def test_recorded_audio_is_metered(corpus: list[dict[str, Any]]) -> None:
    found = {}
    for row in corpus:
        if "/audio/" not in row["endpoint"] or not row["request_body"]:
            continue
        form = read_form(
            row["request_headers"]["content-type"].encode(), base64.b64decode(row["request_body"])
        )
        audio = length_of(bytes(dict(form.files)["file"]))
        texts = {text.name: text.value for text in form.texts}
        made = metered(Request(texts["model"], texts, audio=audio), row["response_body"].encode())
        found[row["endpoint"].rsplit("/")[-1], texts.get("response_format"), made.source] = made.usage
        if row["usage"] is not None:
            assert made == Metered(read_usage(row["usage"]) or Usage(), "provider")
    assert found["translations", "text", "tokenizer"].quantities == {"seconds": 4}
    assert found["translations", "verbose_json", "provider"].quantities == {"seconds": 4}
    assert found["transcriptions", None, "tokenizer"].audio_input_tokens == 10
